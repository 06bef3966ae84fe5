"""Mesh-wide settings, with Istio's defaults (MeshConfig)."""

from enum import Enum

from weft.kit.value import Value
from weft.model.access_log import FileLog, default_text
from weft.model.provider import ExtensionProvider
from weft.model.revocation import Revoked
from weft.model.route import Retries
from weft.model.selector import LabelSelector
from weft.model.sinks import DefaultSinks, NamedSink
from weft.model.telemetry import SpanTag
from weft.model.traffic import ConnectionPool, Keepalive, LocalityPreference, OutlierDetection
from weft.model.trust_anchor import TrustAnchor


class PathNormalization(Enum):
    """What is done to the path of a request before anything looks at it (Istio ``ProxyPathNormalization``)."""

    NONE = "NONE"
    BASE = "BASE"
    MERGE_SLASHES = "MERGE_SLASHES"
    DECODE_AND_MERGE_SLASHES = "DECODE_AND_MERGE_SLASHES"


class ClientCertificateHeader(Enum):
    """What becomes of ``x-forwarded-client-cert`` (Envoy's words)."""

    SANITIZE = "SANITIZE"
    FORWARD_ONLY = "FORWARD_ONLY"
    APPEND_FORWARD = "APPEND_FORWARD"
    SANITIZE_SET = "SANITIZE_SET"
    ALWAYS_FORWARD_ONLY = "ALWAYS_FORWARD_ONLY"


class ServiceNaming(Enum):
    """The name of a proxy's service in spans (Istio ``TracingServiceName``)."""

    APP = "APP_LABEL_AND_NAMESPACE"
    CANONICAL = "CANONICAL_NAME_ONLY"
    CANONICAL_AND_NAMESPACE = "CANONICAL_NAME_AND_NAMESPACE"


class GatewayTopology(Value):
    """What stands before gateways. ``client_certificate`` ``None``: as weft's gateways do it by themselves."""

    trusted_proxies: int = 0
    client_certificate: ClientCertificateHeader | None = None
    proxy_protocol: bool = False


class TracingDefaults(Value):
    """What holds for spans where no Telemetry says otherwise. ``naming`` is how a proxy calls itself in them."""

    enabled: bool = True
    percent: float = 1.0
    tags: tuple[SpanTag, ...] = ()
    mesh_tags: bool = True
    max_path: int = 0
    naming: ServiceNaming = ServiceNaming.APP


class Settings(Value):
    """What holds for the whole mesh.

    ``connect_timeout``, ``inspection_timeout`` (of a connection's first bytes) and ``dns_refresh`` are milliseconds.
    ``locality`` is the preference for near endpoints where a rule says none, ``None`` the default one. ``paths``
    ``None``: as each kind of listener does by itself. ``upgrade``: HTTP/1.1 travels as HTTP/2, ``None`` where both
    ends have sidecars. ``default_pool`` and ``default_outliers`` hold where no rule says otherwise. ``discovery``
    selects the namespaces whose documents count, all where it is empty. ``concurrency``: worker threads of proxies
    that start, 0 for one for each CPU. ``apart``: what a namespace says of the hosts and proxies of another counts for
    itself alone, unless it is the root namespace. ``revoked``
    are certificates that count no more, ``trust_anchors`` authorities that are believed besides the mesh's own.
    """

    trust_domain: str = "cluster.local"
    trust_domain_aliases: tuple[str, ...] = ()
    root_namespace: str = "istio-system"
    domain_suffix: str = "cluster.local"
    connect_timeout: int = 10_000
    inspection_timeout: int = 5_000
    dns_refresh: int = 60_000
    keepalive: Keepalive | None = None
    default_retries: Retries = Retries()
    default_pool: ConnectionPool | None = None
    default_outliers: OutlierDetection | None = None
    locality: LocalityPreference | None = None
    upgrade: bool | None = None
    allow_any: bool = True
    auto_mtls: bool = True
    verify_servers: bool = True
    paths: PathNormalization | None = None
    service_export_to: tuple[str, ...] = ("*",)
    route_export_to: tuple[str, ...] = ("*",)
    policy_export_to: tuple[str, ...] = ("*",)
    providers: tuple[ExtensionProvider, ...] = ()
    discovery: tuple[LabelSelector, ...] = ()
    topology: GatewayTopology = GatewayTopology()
    concurrency: int | None = None
    hardened: bool = True
    access_log: FileLog | None = None
    stdout: FileLog = FileLog(path="/dev/stdout", text=default_text())
    sinks: tuple[NamedSink, ...] = ()
    default_sinks: DefaultSinks = DefaultSinks()
    tracing: TracingDefaults = TracingDefaults()
    apart: bool = False
    revoked: Revoked = Revoked()
    trust_anchors: tuple[TrustAnchor, ...] = ()
