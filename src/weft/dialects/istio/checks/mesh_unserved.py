"""The fields of MeshConfig that weft refuses by name, each with the reason or what to do instead."""

from typing import Any

from weft.dialects.findings import Here
from weft.model.finding import Finding, Path

_NAMES = "the names of statistics are weft's own"
_ALS = "use a provider of envoyHttpAls in defaultProviders or a Telemetry"
_STATISTICS = "proxies push what they count to the control plane, and are scraped: see docs/observability.md"
_OTLP = "its tracer is not in Envoy any more; use opentelemetry"
_PROVIDER = "use a provider in extensionProviders and defaultProviders"
_CAPTURED = "no connection is captured: applications use HTTP_PROXY and ports of their sidecar"
_INGRESS = "there is no Ingress; use Gateway"
_CLUSTERS = "there is one cluster"
_TLS = "sidecars speak TLS 1.3 to each other, and 1.2 or 1.3 to servers outside the mesh, with Envoy's own ciphers"
_AGENT = "weft's agent decides it where it starts the proxy"
_HEADERS = "the headers of proxies are not chosen"

UNSERVED: dict[Path, str] = {
    ("proxyListenPort",): _CAPTURED,
    ("proxyInboundListenPort",): _CAPTURED,
    ("proxyHttpPort",): "the agent chooses the port that HTTP_PROXY names",
    ("hboneIdleTimeout",): "there are no ztunnels",
    ("ingressClass",): _INGRESS,
    ("ingressService",): _INGRESS,
    ("ingressControllerMode",): _INGRESS,
    ("ingressSelector",): _INGRESS,
    ("enableEnvoyAccessLogService",): _ALS,
    ("disableEnvoyListenerLog",): "listeners log nothing but calls and connections",
    ("enablePrometheusMerge",): "weft run --metrics says where the application's are",
    ("inboundClusterStatName",): _NAMES,
    ("outboundClusterStatName",): _NAMES,
    ("outboundTrafficPolicy", "tls"): "write a DestinationRule for the host",
    ("configSources",): "documents come from the store alone",
    ("certificates",): "Istio has no use for it any more",
    ("ca",): "certificates come from weft's own authority",
    ("caCertificates", "*", "spiffeBundleUrl"): "give its certificates as pem; nothing is fetched",
    ("caCertificates", "*", "certSigners"): "certificates come from weft's own authority alone",
    ("serviceSettings",): _CLUSTERS,
    ("serviceScopeConfigs",): _CLUSTERS,
    ("serviceEntryVisibility",): "use exportTo, or defaultServiceExportTo for all",
    ("meshMTLS",): _TLS,
    ("tlsDefaults",): _TLS,
    **{
        ("extensionProviders", "*", name): _OTLP for name in ("lightstep", "stackdriver", "opencensus")
    },
    ("extensionProviders", "*", "opentelemetry", "dynatraceSampler"): "a Telemetry says how many traces there are",
    **{
        ("defaultConfig", "tracing", name): _PROVIDER
        for name in ("zipkin", "lightstep", "datadog", "stackdriver", "openCensusAgent", "tlsSettings")
    },
    ("extensionProviders", "*", "sds"): "certificates come from weft's agents",
    **{
        ("defaultConfig", name): reason
        for reason, names in {
            _AGENT: (
                "configPath", "binaryPath", "serviceCluster", "drainDuration", "discoveryAddress",
                "discoveryRefreshDelay", "proxyAdminPort", "availabilityZone", "controlPlaneAuthPolicy",
                "customConfigFile", "proxyBootstrapTemplatePath", "sds", "proxyMetadata", "runtimeValues",
                "statusPort", "terminationDrainDuration", "meshId", "readinessProbe", "holdApplicationUntilProxyStarts",
                "caCertificatesPem", "image", "privateKeyProvider", "fileFlushInterval", "fileFlushMinSizeKb",
            ),
            _CAPTURED: ("interceptionMode",),
            _PROVIDER: ("zipkinAddress",),
            _ALS: ("envoyAccessLogService",),
            "use tagOverrides of a Telemetry": ("extraStatTags",),
            _STATISTICS: (
                "statsdUdpAddress", "envoyMetricsServiceAddress", "statNameLength", "envoyMetricsService",
                "proxyStatsMatcher", "statsCompression",
            ),
            _HEADERS: ("proxyHeaders",),
            "use a DestinationRule": ("connectionSettings",),
        }.items()
        for name in names
    },
}  # fmt: skip
"""Places of fields that are refused by name, ``*`` for any number in a list, and what to do or why."""


def cut_unserved(content: Any) -> tuple[Any, tuple[Finding, ...]]:
    """The configuration without the fields that are not served, and what is said of them."""
    found: list[Finding] = []
    for place, reason in UNSERVED.items():
        content = _cut(content, place, Here(), reason, found)
    return content, tuple(found)


def _cut(content: Any, place: Path, here: Here, reason: str, found: list[Finding]) -> Any:
    step, rest = place[0], place[1:]
    if step == "*" and isinstance(content, list):
        return [_cut(item, rest, here.at(index), reason, found) for index, item in enumerate(content)]
    if not isinstance(content, dict) or step not in content:
        return content
    if rest:
        return {**content, step: _cut(content[step], rest, here.at(step), reason, found)}
    found.append(here.at(step).unserved(str(step), reason))
    return {name: value for name, value in content.items() if name != step}
