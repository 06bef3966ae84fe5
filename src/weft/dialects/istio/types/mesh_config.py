"""Istio's MeshConfig: the fields of it that weft serves."""

from typing import Literal

from weft.dialects.istio.types.destination_rule import ConnectionPool, OutlierDetection, TcpKeepalive
from weft.dialects.istio.types.http_route import HttpRetry
from weft.dialects.istio.types.load_balancing import LocalityLoadBalancer, ZoneAwareLoadBalancer
from weft.dialects.istio.types.mesh_providers import ExtensionProvider
from weft.dialects.istio.types.mesh_sinks import DefaultProviders, TracingConfig
from weft.dialects.wire import Duration, Int32, Many, Strings, UInt32, Wire, items, mapping, needed, unset


class OutboundTrafficPolicy(Wire):
    """What becomes of calls to hosts that nothing in the mesh defines."""

    mode: Literal["REGISTRY_ONLY", "ALLOW_ANY", "ALLOW_ANY_DYNAMIC_DNS"] | None = unset("Whether they pass.")


class InboundTrafficPolicy(Wire):
    """Where sidecars find the application."""

    mode: Literal["LOCALHOST"] | None = unset("On the address that the agent was told, 127.0.0.1 if none.")


class SelectorRequirement(Wire):
    """A condition on a label."""

    key: str = needed("The label.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = needed("How it is compared.")
    values: Many[str] = items("What it is compared with.")


class LabelSelector(Wire):
    """A choice by labels."""

    match_labels: Strings = mapping("Labels that must be there.")
    match_expressions: Many[SelectorRequirement] = items("Conditions that must hold.")


class ProxyPathNormalization(Wire):
    """What is done to paths before anything looks at them."""

    normalization: Literal["DEFAULT", "NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"] | None = unset(
        "How much of it."
    )


class DefaultTrafficPolicy(Wire):
    """What holds where no DestinationRule says otherwise."""

    connection_pool: ConnectionPool | None = unset("Limits of connections and requests.")
    outlier_detection: OutlierDetection | None = unset("When an endpoint that fails is set aside.")


class ProxyProtocolConfiguration(Wire):
    """The PROXY protocol on the way in."""


class Topology(Wire):
    """What stands before gateways."""

    num_trusted_proxies: UInt32 | None = unset("Proxies before a gateway whose X-Forwarded-For is believed.")
    forward_client_cert_details: (
        Literal["UNDEFINED", "SANITIZE", "FORWARD_ONLY", "APPEND_FORWARD", "SANITIZE_SET", "ALWAYS_FORWARD_ONLY"] | None
    ) = unset("What becomes of X-Forwarded-Client-Cert.")
    proxy_protocol: ProxyProtocolConfiguration | None = unset("Clients of gateways begin with a PROXY header.")


class ProxyConfig(Wire):
    """What holds for every proxy."""

    concurrency: Int32 | None = unset("Worker threads of a proxy; 0 for one for each core.")
    gateway_topology: Topology | None = unset("What stands before gateways.")
    tracing: TracingConfig | None = unset("What holds for spans where no Telemetry says otherwise.")
    tracing_service_name: (
        Literal["APP_LABEL_AND_NAMESPACE", "CANONICAL_NAME_ONLY", "CANONICAL_NAME_AND_NAMESPACE"] | None
    ) = unset("How proxies call their service in spans.")


class CertificateData(Wire):
    """Certificates of an authority besides the mesh's own."""

    pem: str | None = unset("The certificates.")
    trust_domains: Many[str] = items("The trust domains that they speak for, the mesh's own if unset.")


class MeshConfig(Wire):
    """Mesh-wide settings."""

    connect_timeout: Duration | None = unset("Limit of the time to connect, 10s if unset.")
    protocol_detection_timeout: Duration | None = unset("How long the first bytes of a connection are waited for.")
    tcp_keepalive: TcpKeepalive | None = unset("Probes that keep idle connections open.")
    outbound_traffic_policy: OutboundTrafficPolicy | None = unset("Calls to hosts that nothing defines.")
    inbound_traffic_policy: InboundTrafficPolicy | None = unset("Where sidecars find the application.")
    enable_auto_mtls: bool | None = unset("Mutual TLS between sidecars without being told, true if unset.")
    trust_domain: str | None = unset("The mesh's name in identities; cannot change while weft runs.")
    trust_domain_aliases: Many[str] = items("Other names that identities of the mesh may have.")
    ca_certificates: Many[CertificateData] = items(
        "Authorities whose certificates are believed besides the mesh's own."
    )
    default_service_export_to: Many[str] = items("exportTo of services and ServiceEntries that say none.")
    default_virtual_service_export_to: Many[str] = items("exportTo of VirtualServices that say none.")
    default_destination_rule_export_to: Many[str] = items("exportTo of DestinationRules that say none.")
    root_namespace: str | None = unset("Namespace whose policies hold for all; cannot change while weft runs.")
    locality_lb_setting: LocalityLoadBalancer | None = unset("Preference for endpoints that are near.")
    zone_aware_lb_setting: ZoneAwareLoadBalancer | None = unset("Calls within zones, as far as these carry them.")
    dns_refresh_rate: Duration | None = unset("How often names are resolved whose records do not say, 60s if unset.")
    h2_upgrade_policy: Literal["DO_NOT_UPGRADE", "UPGRADE"] | None = unset("Whether HTTP/1.1 travels as HTTP/2.")
    verify_certificate_at_client: bool | None = unset("Whether servers outside the mesh are verified, true if unset.")
    access_log_file: str | None = unset(
        "Where proxies write a line for each call, such as /dev/stdout; nowhere if unset."
    )
    access_log_format: str | None = unset("The line, or a JSON object of formats; Istio's if unset.")
    access_log_encoding: Literal["TEXT", "JSON"] | None = unset("What the lines are, TEXT if unset.")
    enable_tracing: bool | None = unset("Whether spans are made where no Telemetry says so, true if unset.")
    extension_providers: Many[ExtensionProvider] = items("Services that policies and telemetry name.")
    default_providers: DefaultProviders | None = unset("Providers where no Telemetry names any.")
    discovery_selectors: Many[LabelSelector] = items("The namespaces that count, all if unset.")
    path_normalization: ProxyPathNormalization | None = unset("What is done to paths.")
    default_http_retry_policy: HttpRetry | None = unset("Retries where no rule says otherwise.")
    default_traffic_policy: DefaultTrafficPolicy | None = unset("What holds where no DestinationRule says otherwise.")
    default_config: ProxyConfig | None = unset("What holds for every proxy.")
