"""How callers treat a destination: balancing, pools, outliers, TLS. Times are milliseconds; ``None`` is unset."""

from enum import Enum

from weft.kit.value import Labels, Value
from weft.model.credential import Credential
from weft.model.document import Origin


class Balancing(Enum):
    """Algorithms without a key."""

    LEAST_REQUEST = "LEAST_REQUEST"
    ROUND_ROBIN = "ROUND_ROBIN"
    RANDOM = "RANDOM"
    PASSTHROUGH = "PASSTHROUGH"


class HashHeader(Value):
    """Hash a header's value."""

    name: str


class HashCookie(Value):
    """Hash a cookie, made when absent; ``ttl`` milliseconds, 0 for the session, ``None`` to never make one."""

    name: str
    path: str = ""
    ttl: int | None = None
    attributes: tuple[tuple[str, str], ...] = ()


class HashSourceIp(Value):
    """Hash the caller's address."""


class HashClient(Value):
    """Hash who calls: a gateway's client by its address, in the mesh the calling workload."""


class HashQuery(Value):
    """Hash a query parameter."""

    name: str


HashKey = HashHeader | HashCookie | HashSourceIp | HashClient | HashQuery


class ConsistentHash(Value):
    """The same key to the same endpoint: a ring of at least ``ring_size`` entries, or Maglev with ``table_size``."""

    key: HashKey
    maglev: bool = False
    ring_size: int = 1024
    table_size: int | None = None


class Warmup(Value):
    """Slow start: ``duration`` milliseconds."""

    duration: int
    aggression: float = 1.0
    minimum_percent: float = 10.0


class Distribution(Value):
    """Shares in percent of localities for callers of the locality ``origin``; both may end with ``*``."""

    origin: str
    shares: tuple[tuple[str, int], ...]


class Failover(Value):
    """A region that takes over for the callers' region ``origin``."""

    origin: str
    to: str


class LocalityPreference(Value):
    """Preference for near endpoints: by shares, else by ``labels`` that caller and endpoint share (``key=value``: that
    value), else by locality. ``always``: also where no outlier detection notices failures.

    ``zones``: within the near region calls stay in the caller's zone as far as it can carry them, where the region has
    at least so many endpoints.
    """

    enabled: bool = True
    distribute: tuple[Distribution, ...] = ()
    failover: tuple[Failover, ...] = ()
    labels: tuple[str, ...] = ()
    always: bool = False
    zones: int | None = None


class LoadBalancer(Value):
    """How an endpoint is chosen. ``locality`` ``None``: the near first, where outlier detection notices failures."""

    algorithm: Balancing | ConsistentHash = Balancing.LEAST_REQUEST
    locality: LocalityPreference | None = None
    warmup: Warmup | None = None


class Keepalive(Value):
    """TCP keep-alive: ``time`` and ``interval`` milliseconds."""

    probes: int | None = None
    time: int | None = None
    interval: int | None = None


class Pings(Value):
    """HTTP/2 pings that find dead connections; milliseconds."""

    interval: int | None = None
    timeout: int | None = None


class ConnectionPool(Value):
    """Limits of the connections to a destination; ``None`` is unlimited or Envoy's default."""

    max_connections: int | None = None
    connect_timeout: int | None = None
    keepalive: Keepalive | None = None
    max_connection_duration: int | None = None
    tcp_idle_timeout: int | None = None
    http1_max_pending_requests: int | None = None
    http2_max_requests: int | None = None
    max_requests_per_connection: int | None = None
    max_retries: int | None = None
    http_idle_timeout: int | None = None
    max_concurrent_streams: int | None = None
    pings: Pings | None = None
    upgrade: bool | None = None
    use_client_protocol: bool = False


class OutlierDetection(Value):
    """When an endpoint is set aside; ``None`` is Envoy's default, 0 switches a detector off.

    ``error_statuses`` are the answers that count as errors, in the place of 5xx.
    """

    consecutive_5xx: int | None = None
    consecutive_gateway_errors: int | None = None
    consecutive_local_origin_failures: int | None = None
    split_local_origin: bool = False
    interval: int | None = None
    base_ejection_time: int | None = None
    max_ejection_percent: int | None = None
    min_health_percent: int = 0
    error_statuses: tuple[int, ...] = ()


class TlsMode(Enum):
    """What a destination rule asks of the connection to the destination."""

    DISABLE = "DISABLE"
    ISTIO_MUTUAL = "ISTIO_MUTUAL"


class MeshMutual(Value):
    """ISTIO_MUTUAL under another name: ``sni`` and the peer's ``subject_alt_names`` are the mesh's own where empty."""

    sni: str = ""
    subject_alt_names: tuple[str, ...] = ()


class ClientTls(Value):
    """TLS of the caller's own (Istio's modes SIMPLE and MUTUAL), with files on the host of its sidecar.

    ``authorities`` "" are the host's own; a ``certificate`` with its ``key`` is presented to the server. ``sni`` "" is
    the name that the request calls, and so is the server's where ``subject_alt_names`` are empty. ``verified`` is
    false where nothing of the server's is checked. ``credential`` (certificate and key) and ``trust`` (authorities and
    what is revoked) are in place of files where they are kept among the documents.
    """

    authorities: str = ""
    revoked: str = ""
    certificate: str = ""
    key: str = ""
    sni: str = ""
    subject_alt_names: tuple[str, ...] = ()
    verified: bool = True
    credential: Credential | None = None
    trust: Credential | None = None


DestinationTls = TlsMode | MeshMutual | ClientTls


class RetryBudget(Value):
    """Retries under way for each hundred requests of the last ``interval`` milliseconds, never fewer than ``least``."""

    percent: float = 20.0
    least: int = 3
    interval: int | None = None


class ProxyProtocol(Enum):
    """The version of the header that tells a server who its caller is."""

    V1 = "V1"
    V2 = "V2"


class Tunnel(Value):
    """Connections travel inside of a request to the destination, a proxy, that asks for ``host``:``port``: CONNECT, or
    POST."""

    host: str
    port: int
    post: bool = False


class TrafficPolicy(Value):
    """Blocks that override as wholes (Istio ``TrafficPolicy``)."""

    load_balancer: LoadBalancer | None = None
    connection_pool: ConnectionPool | None = None
    outlier_detection: OutlierDetection | None = None
    tls: DestinationTls | None = None
    retry_budget: RetryBudget | None = None
    proxy_protocol: ProxyProtocol | None = None
    tunnel: Tunnel | None = None


PortPolicies = tuple[tuple[int, TrafficPolicy], ...]
"""Per port number. A port's policy replaces all blocks; a block it omits falls back to the default (Istio)."""


class Subset(Value):
    """A named part of a destination's endpoints, with its own policy."""

    name: str
    labels: Labels = ()
    policy: TrafficPolicy = TrafficPolicy()
    ports: PortPolicies = ()


class DestinationPolicy(Value):
    """Istio's ``DestinationRule``; after link, all rules of one host and namespace merged."""

    origin: Origin
    namespace: str
    host: str
    policy: TrafficPolicy = TrafficPolicy()
    ports: PortPolicies = ()
    subsets: tuple[Subset, ...] = ()
    export_to: tuple[str, ...] = ("*",)
    workload_selector: Labels = ()
