"""Istio's DestinationRule."""

from typing import Annotated, Literal

from pydantic import Field

from weft.dialects.istio.types.load_balancing import LoadBalancer
from weft.dialects.istio.types.matching import PolicyWorkloadSelector, PortSelector
from weft.dialects.wire import Double, Duration, Int32, Many, Strings, UInt32, Wire, items, mapping, needed, unset


class TcpKeepalive(Wire):
    """Probes that keep idle connections open."""

    probes: UInt32 | None = unset("Probes without an answer until the connection is dead.")
    time: Duration | None = unset("Idle time before the first probe.")
    interval: Duration | None = unset("Time between probes.")


class TcpSettings(Wire):
    """Limits of connections."""

    max_connections: Int32 | None = unset("Connections to a destination, at most.")
    connect_timeout: Duration | None = unset("Limit of the time to connect.")
    tcp_keepalive: TcpKeepalive | None = unset("Probes that keep idle connections open.")
    max_connection_duration: Duration | None = unset("Life of a connection, at most.")
    idle_timeout: Duration | None = unset("Idle time after which a TCP connection is closed; 0s for never.")


class Http2KeepAlive(Wire):
    """Pings on HTTP/2 connections."""

    interval: Duration | None = unset("Time between pings.")
    timeout: Duration | None = unset("How long an answer may take.")


class HttpSettings(Wire):
    """Limits of requests."""

    http1_max_pending_requests: Int32 | None = unset("Requests that wait for a connection, at most.")
    http2_max_requests: Int32 | None = unset("Requests under way, at most.")
    max_requests_per_connection: Int32 | None = unset("Requests after which a connection is closed; 0 for no limit.")
    max_retries: Int32 | None = unset("Retries under way, at most.")
    idle_timeout: Duration | None = unset("Time without requests after which a connection is closed.")
    h2_upgrade_policy: Literal["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"] | None = unset(
        "Whether HTTP/1.1 requests travel as HTTP/2."
    )
    use_client_protocol: bool | None = unset("Whether the caller's version of HTTP is kept.")
    max_concurrent_streams: Int32 | None = unset("Streams of one HTTP/2 connection, at most.")
    http2_keep_alive: Http2KeepAlive | None = unset("Pings on HTTP/2 connections.")


class ConnectionPool(Wire):
    """Limits of connections and requests."""

    tcp: TcpSettings | None = unset("Limits of connections.")
    http: HttpSettings | None = unset("Limits of requests.")


class OutlierDetection(Wire):
    """When an endpoint that fails is set aside."""

    consecutive_errors: Int32 | None = unset("Deprecated: use consecutiveGatewayErrors or consecutive5xxErrors.")
    split_external_local_origin_errors: bool | None = unset("Whether errors of the connection are counted apart.")
    consecutive_local_origin_failures: UInt32 | None = unset("Errors of the connection in a row.")
    consecutive_gateway_errors: UInt32 | None = unset("Answers 502, 503 or 504 in a row; 0 switches this off.")
    consecutive5xx_errors: UInt32 | None = unset(
        "Answers 5xx in a row; 0 switches this off.", alias="consecutive5xxErrors"
    )
    interval: Duration | None = unset("Time between looks at the endpoints, 10s if unset.")
    base_ejection_time: Duration | None = unset("How long the first ejection lasts, 30s if unset.")
    max_ejection_percent: Int32 | None = unset("Share of the endpoints that may be set aside, 10 if unset.")
    min_health_percent: Int32 | None = unset("Share of healthy endpoints below which all of them are used.")
    outlier_detection_http_error_codes: Many[Annotated[int, Field(ge=100, le=599)]] = items(
        "Statuses that count as errors, in the place of 5xx."
    )


class ClientTls(Wire):
    """TLS to the destination."""

    mode: Literal["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"] | None = unset("What is spoken, DISABLE if unset.")
    client_certificate: str | None = unset("File with the certificate of the caller.")
    private_key: str | None = unset("File with the private key of the caller.")
    ca_certificates: str | None = unset("File with the authorities that the server's certificate is checked against.")
    credential_name: str | None = unset("Secret with certificate, key and authorities.")
    subject_alt_names: Many[str] = items("Names of which the server's certificate must have one.")
    sni: str | None = unset("Name of the server that is asked for.")
    insecure_skip_verify: bool | None = unset("Whether the server's certificate is not checked.")
    ca_crl: str | None = unset("File with revoked certificates.")


class Tunnel(Wire):
    """Connections travel inside a connection to a proxy."""

    protocol: str | None = unset("CONNECT or POST, CONNECT if unset.")
    target_host: str = needed("Host at the end of the tunnel.")
    target_port: UInt32 = needed("Port at the end of the tunnel.")


class ProxyProtocol(Wire):
    """A header that tells the destination who the caller is."""

    version: Literal["V1", "V2"] | None = unset("Version of the header, V1 if unset.")


class RetryBudget(Wire):
    """A limit of retries that grows with the requests."""

    percent: Annotated[Double, Field(ge=0, le=100)] | None = unset("Retries for each hundred requests, 20 if unset.")
    min_retry_concurrency: UInt32 | None = unset("Retries under way that are always allowed, 3 if unset.")
    budget_interval: Duration | None = unset("Time over which requests are counted.")


class PortTrafficPolicy(Wire):
    """How calls of one port are treated; what is unset here falls back to the defaults, not to the other ports."""

    port: PortSelector | None = unset("The port.")
    load_balancer: LoadBalancer | None = unset("How an endpoint is chosen.")
    connection_pool: ConnectionPool | None = unset("Limits of connections and requests.")
    outlier_detection: OutlierDetection | None = unset("When an endpoint that fails is set aside.")
    tls: ClientTls | None = unset("TLS to the destination.")


class TrafficPolicy(Wire):
    """How calls are treated."""

    load_balancer: LoadBalancer | None = unset("How an endpoint is chosen.")
    connection_pool: ConnectionPool | None = unset("Limits of connections and requests.")
    outlier_detection: OutlierDetection | None = unset("When an endpoint that fails is set aside.")
    tls: ClientTls | None = unset("TLS to the destination.")
    port_level_settings: Many[PortTrafficPolicy] = items("What differs for single ports.")
    tunnel: Tunnel | None = unset("Connections travel inside a connection to a proxy.")
    proxy_protocol: ProxyProtocol | None = unset("A header that tells the destination who the caller is.")
    retry_budget: RetryBudget | None = unset("A limit of retries that grows with the requests.")


class Subset(Wire):
    """A named part of the endpoints."""

    name: str | None = unset("Name that routes use.")
    labels: Strings = mapping("Labels that the endpoints of the subset have.")
    traffic_policy: TrafficPolicy | None = unset("How calls of the subset are treated.")


class DestinationRule(Wire):
    """How callers treat a destination."""

    host: str | None = unset("The destination: a full name, a short name, or a name that begins with *.")
    traffic_policy: TrafficPolicy | None = unset("How calls are treated.")
    subsets: Many[Subset] = items("Named parts of the endpoints.")
    export_to: Many[str] = items("Namespaces that can see this: *, . for its own, or names; * if unset.")
    workload_selector: PolicyWorkloadSelector | None = unset("Callers of the same namespace that this is for.")
