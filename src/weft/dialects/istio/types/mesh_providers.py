"""Services that MeshConfig names: those that policies ask, and those that telemetry goes to."""

from weft.dialects.istio.types import mesh_sinks as sinks
from weft.dialects.wire import Duration, Many, Strings, UInt32, Wire, items, mapping, needed, unset


class BodyInCheck(Wire):
    """How much of a request's body is sent along."""

    max_request_bytes: UInt32 | None = unset("Bytes, at most.")
    allow_partial_message: bool | None = unset("Whether a longer body is cut; else it is refused.")
    pack_as_bytes: bool | None = unset("Whether the body is sent as bytes, not as text.")


class AuthorizationGrpcProvider(Wire):
    """A service that speaks Envoy's protocol for authorization."""

    service: str = needed("Host of the service, perhaps after a namespace and a slash.")
    port: UInt32 = needed("Its port.")
    timeout: Duration | None = unset("Limit of the time for an answer, 600s if unset.")
    fail_open: bool | None = unset("Whether requests pass when it does not answer.")
    clear_route_cache: bool | None = unset("Whether the route is chosen again after the check.")
    status_on_error: str | None = unset("What is answered when it does not answer, 403 if unset.")
    include_request_body_in_check: BodyInCheck | None = unset("How much of the body is sent along.")


class AuthorizationHttpProvider(AuthorizationGrpcProvider):
    """A service that is asked by HTTP."""

    path_prefix: str | None = unset("What the path of a check begins with.")
    include_headers_in_check: Many[str] = items("Deprecated: use includeRequestHeadersInCheck.")
    include_request_headers_in_check: Many[str] = items("Headers of the request that are sent.")
    include_additional_headers_in_check: Strings = mapping("Headers that are sent with every check.")
    headers_to_upstream_on_allow: Many[str] = items("Headers of the answer that the application gets.")
    headers_to_downstream_on_deny: Many[str] = items("Headers of a refusal that the caller gets.")
    headers_to_downstream_on_allow: Many[str] = items("Headers of the answer that the caller gets.")


class ExtensionProvider(Wire):
    """A name for a service."""

    name: str = needed("What policies call it.")
    envoy_ext_authz_http: AuthorizationHttpProvider | None = unset("Asked by HTTP whether requests may pass.")
    envoy_ext_authz_grpc: AuthorizationGrpcProvider | None = unset("Asked by gRPC whether requests may pass.")
    prometheus: sinks.PrometheusProvider | None = unset("Metrics that Prometheus scrapes from proxies.")
    envoy_file_access_log: sinks.FileAccessLogProvider | None = unset("A file of the proxy's host.")
    envoy_http_als: sinks.HttpAlsProvider | None = unset("Envoy's access log service, for requests.")
    envoy_tcp_als: sinks.TcpAlsProvider | None = unset("Envoy's access log service, for connections.")
    envoy_otel_als: sinks.OtelAlsProvider | None = unset("Logs by OTLP.")
    opentelemetry: sinks.OpenTelemetryProvider | None = unset("Spans by OTLP.")
    zipkin: sinks.ZipkinProvider | None = unset("Spans to Zipkin's API.")
    datadog: sinks.DatadogProvider | None = unset("Spans to Datadog's agent.")
    skywalking: sinks.SkyWalkingProvider | None = unset("Segments to SkyWalking's receiver.")
