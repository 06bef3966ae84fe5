"""The view: everything that one proxy's resources are made from, and nothing else.

``Outbound`` is shared by all proxies of a scope; the rest is the proxy's own and small.
"""

from weft.kit.value import Value
from weft.model.breaker import Breaker
from weft.model.document import Place
from weft.model.extension import Patch
from weft.model.finding import Finding
from weft.model.gateway import ServerTls
from weft.model.health_check import HealthCheck
from weft.model.limits import RateLimits
from weft.model.match import HttpMatch
from weft.model.plugin import Plugin
from weft.model.revocation import Revoked
from weft.model.route import Action, CorsPolicy, Destination, ExternalCheck, Fault, Headers, RouteSpans, Session
from weft.model.security import MtlsMode
from weft.model.service import Protocol, Resolution
from weft.model.settings import GatewayTopology, PathNormalization
from weft.model.telemetry import Telemetry
from weft.model.traffic import (
    ClientTls,
    ConnectionPool,
    ConsistentHash,
    LoadBalancer,
    OutlierDetection,
    ProxyProtocol,
    RetryBudget,
    Tunnel,
)
from weft.view.access import NO_GUARDS, Guards


class Target(Value):
    """A host's port and subset: what a route points at and what a cluster is named after.

    ``sealed``: the caller's mutual TLS is passed on to the endpoints as it comes (AUTO_PASSTHROUGH).
    """

    host: str
    port: int
    subset: str = ""
    sealed: bool = False


class MeshTls(Value):
    """Mutual TLS with the mesh's certificates to endpoints that have a sidecar.

    ``always``: to every endpoint (ISTIO_MUTUAL); otherwise only to those marked ``meshed`` (auto mTLS), plaintext
    to the rest. ``identities`` are the SPIFFE IDs that the peer may have, sorted; ``alpn`` and ``sni`` as Istio's.
    """

    identities: tuple[str, ...]
    sni: str
    always: bool = False


class Endpoint(Value):
    """An address that answers; ``meshed``: its sidecar does, with mutual TLS. ``locality``: region/zone/subzone.

    ``priority``: how many groups of endpoints must fail before it is called. ``peer``: how metrics name it.
    """

    address: str
    port: int
    weight: int = 1
    locality: str = ""
    meshed: bool = False
    workload: str = ""
    peer: str = ""
    priority: int = 0


LocalityShares = tuple[tuple[str, int], ...]
"""Weights of localities; one that is left out has the sum of its endpoints' weights."""


class Upstream(Value):
    """A cluster without its endpoints, so that an endpoint's change is not the cluster's.

    ``http2`` says what is spoken on the wire to the endpoints (HTTP/2 between sidecars), whatever the application
    speaks. ``direct``: connections go where the caller sent them. ``hosts`` are the names of a DNS service, EDS
    delivers the endpoints of others; ``shares`` as theirs.
    """

    target: Target
    protocol: Protocol
    resolution: Resolution = Resolution.STATIC
    http2: bool = False
    tls: MeshTls | ClientTls | None = None
    load_balancer: LoadBalancer = LoadBalancer()
    connection_pool: ConnectionPool = ConnectionPool()
    connect_timeout: int = 10_000
    dns_refresh: int = 60_000
    outlier_detection: OutlierDetection | None = None
    retry_budget: RetryBudget | None = None
    proxy_protocol: ProxyProtocol | None = None
    sniffed: bool = False
    direct: bool = False
    hosts: tuple[Endpoint, ...] = ()
    shares: LocalityShares | None = None
    health_check: HealthCheck | None = None


class EndpointSet(Value):
    """The endpoints of one target. ``shares`` is ``None`` where localities have no weights of their own."""

    target: Target
    endpoints: tuple[Endpoint, ...] = ()
    shares: LocalityShares | None = None


class Guarded(Value):
    """A destination of a route, the breaker that its calls pass, and where those go that it refuses, if anywhere."""

    destination: Destination
    breaker: Breaker
    fallback: Destination | None = None


class Route(Value):
    """One match and what happens. ``Forward`` actions hold destinations whose port is always set.

    ``stat_prefix`` is the word under which the proxy counts it. ``hash`` is the destination's consistent hash, which
    Envoy wants on the route. ``by_authority``: the destination has no endpoints of its own, the host that the caller
    named is looked up. ``ends_tunnels``: what comes inside of a CONNECT goes on by itself. ``breaker`` is the rule's
    own; ``breakers`` are those that hold, its own or its destinations'. ``plugins`` are the names of those that it
    switches on. ``grpc``: it leads to a port of gRPC.
    """

    match: HttpMatch
    action: Action
    name: str = ""
    headers: Headers = Headers()
    fault: Fault | None = None
    cors: CorsPolicy | None = None
    session: Session | None = None
    check: ExternalCheck | None = None
    stat_prefix: str = ""
    hash: ConsistentHash | None = None
    by_authority: bool = False
    ends_tunnels: bool = False
    breaker: Breaker | None = None
    breakers: tuple[Guarded, ...] = ()
    limits: RateLimits | None = None
    plugins: tuple[str, ...] = ()
    grpc: bool = False
    spans: RouteSpans | None = None


class VirtualHost(Value):
    """The routes of one service's port: ``host``:``port``; ``domains`` are the names a caller may use, without port."""

    host: str
    port: int
    domains: tuple[str, ...]
    routes: tuple[Route, ...]
    https_only: bool = False


class Outbound(Value):
    """What the proxies of one scope can call."""

    upstreams: tuple[Upstream, ...] = ()
    endpoints: tuple[EndpointSet, ...] = ()
    virtual_hosts: tuple[VirtualHost, ...] = ()


class Norms(Value):
    """What holds for every port of a proxy: the same fields of ``Settings``; ``aliases`` of the trust domain;
    ``http10``: whether requests of HTTP/1.0 are taken; ``revoked``: whose certificates are not;
    ``telemetry``: what is told of calls.
    """

    paths: PathNormalization | None = None
    inspection_timeout: int = 5_000
    aliases: tuple[str, ...] = ()
    http10: bool = False
    revoked: Revoked = Revoked()
    telemetry: Telemetry = Telemetry()


class InboundPort(Value):
    """A port that peers may connect to, and what they must prove. ``host``: the service that names it, if any.

    ``captured``: connections that were sent to this port of the application come here too, 0: those to all ports that
    are not listed. ``original``: they go on to the address that they were sent to, not to ``app``.
    """

    name: str
    port: int
    protocol: Protocol
    bind: str
    bind_port: int
    app: str
    app_port: int
    mtls: MtlsMode
    connection_pool: ConnectionPool = ConnectionPool()
    host: str = ""
    norms: Norms = Norms()
    limits: RateLimits | None = None
    guards: Guards = NO_GUARDS
    captured: int | None = None
    original: bool = False

    @property
    def bound(self) -> bool:
        """Whether it has a listener of its own: one that is the very port that calls are captured at has none."""
        return self.bind_port != self.captured


class HttpProxyPort(Value):
    """The local port for HTTP_PROXY: any virtual host by ``host:port``.

    ``allow_any``: unknown hosts pass through, or to the ``egress_proxy`` if there is one.
    """

    bind: str
    bind_port: int
    allow_any: bool = True
    egress_proxy: Target | None = None
    norms: Norms = Norms()


class ConnectionRoute(Value):
    """Where connections go whose TLS client asks for one of some names (none: all others), by relative weight, and the
    tunnel that they travel in."""

    shares: tuple[tuple[Target, int], ...]
    server_names: tuple[str, ...] = ()
    tunnel: Tunnel | None = None
    written: Place | None = None
    """Where people find the rule, if there is one."""


class EgressPort(Value):
    """A listener that a Sidecar asks for. ``bind`` is an address, or ``unix://`` and a path.

    HTTP: ``virtual_hosts`` by name, with their ports if ``any_port``. Other protocols: ``routes``, after whose first
    ``target`` connections are counted, ``None`` if nothing answers. ``allow_any`` and ``egress_proxy`` as in
    ``HttpProxyPort``.
    """

    bind: str
    bind_port: int
    protocol: Protocol
    virtual_hosts: tuple[VirtualHost, ...] = ()
    any_port: bool = False
    target: Target | None = None
    routes: tuple[ConnectionRoute, ...] = ()
    allow_any: bool = True
    egress_proxy: Target | None = None
    norms: Norms = Norms()


class UpstreamPort(Value):
    """A local port that stands for one target. ``routes`` are for bytes only; without any, straight to the target.

    ``sniffed``: connections whose first bytes are HTTP are read as requests.
    """

    bind: str
    bind_port: int
    target: Target
    protocol: Protocol
    routes: tuple[ConnectionRoute, ...] = ()
    norms: Norms = Norms()
    sniffed: bool = False


class RoutesKey(Value):
    """Which routes of a gateway: those of a port's plaintext servers, or those of one TLS server of it."""

    port: int
    bind: str = ""
    server: str = ""
    gateway: str = ""
    namespace: str = ""


class GatewayRoutes(Value):
    """The hosts that share a key; ``http3``: clients are told that they may come by QUIC."""

    key: RoutesKey
    virtual_hosts: tuple[VirtualHost, ...]
    http3: bool = False
    packets: bool = False
    guards: Guards = NO_GUARDS
    norms: Norms = Norms()


class Passing(Value):
    """Where connections go that are passed on as bytes, by relative weight, and the tunnel that they travel in."""

    shares: tuple[tuple[Target, int], ...]
    tunnel: Tunnel | None = None
    written: Place | None = None
    """Where people find the rule, if there is one."""


class GatewayChain(Value):
    """Connections of clients that ask for one of ``server_names`` (none: any) and come from one of ``sources`` (none:
    from anywhere), and where they go: their requests by routes, or their bytes. ``tls`` of a mode that does not end it
    is passed on; ``grpc_web``: clients may speak it."""

    name: str
    to: RoutesKey | Passing
    server_names: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    tls: ServerTls | None = None
    limits: RateLimits | None = None
    grpc_web: bool = False


NOWHERE = Target(host="nowhere.invalid", port=1)
"""Where connections go that no destination may have: it has no cluster, so they are closed."""


class GatewayPort(Value):
    """A port at the mesh's edge. ``port`` is what documents call it; ``topology`` is what stands before this proxy.

    ``packets``: it is one of UDP. ``http3``: the same port is opened for QUIC.
    """

    bind: str
    bind_port: int
    port: int
    chains: tuple[GatewayChain, ...]
    topology: GatewayTopology = GatewayTopology()
    http3: bool = False
    packets: bool = False
    norms: Norms = Norms()
    guards: Guards = NO_GUARDS


class CapturedBytes(Value):
    """Connections to some addresses or subnets (none: to any) that are passed on as bytes, counted after ``target``.

    ``sniffed``: those whose first bytes are HTTP are read as requests.
    """

    target: Target
    routes: tuple[ConnectionRoute, ...]
    addresses: tuple[str, ...] = ()
    sniffed: bool = False


class CapturedPort(Value):
    """What becomes of connections to a port of whatever address: of requests by their host, of bytes by their
    addresses, the first way that fits, and of TLS to other addresses by the name that the client asks for."""

    number: int
    virtual_hosts: tuple[VirtualHost, ...] = ()
    ways: tuple[CapturedBytes, ...] = ()
    named: tuple[CapturedBytes, ...] = ()


class Captured(Value):
    """What the host's rules turn to the proxy: ``outbound`` and ``inbound`` are where it comes, on ``families``.

    ``allow_any`` and ``egress_proxy`` as in ``HttpProxyPort``. ``strangers``: the application's ports that nobody
    declared, the last for all of them (0). ``mark``: what its connections to the application are marked with, 0: they
    are told by their addresses. ``way``: a Unix socket to which connections come with PROXY headers, instead of both
    ports.
    """

    outbound: int
    inbound: int
    families: tuple[str, ...]
    ports: tuple[CapturedPort, ...] = ()
    allow_any: bool = True
    egress_proxy: Target | None = None
    strangers: tuple[InboundPort, ...] = ()
    norms: Norms = Norms()
    mark: int = 0
    way: str = ""


class View(Value):
    """All of it, for one proxy. ``trust_domain`` is whose certificates are accepted; ``patches`` are made last.

    ``plugins`` stand in its chains, in their order.
    """

    trust_domain: str
    outbound: Outbound = Outbound()
    inbound: tuple[InboundPort, ...] = ()
    http_proxy: HttpProxyPort | None = None
    upstream_ports: tuple[UpstreamPort, ...] = ()
    egress_ports: tuple[EgressPort, ...] = ()
    gateway_ports: tuple[GatewayPort, ...] = ()
    gateway_routes: tuple[GatewayRoutes, ...] = ()
    findings: tuple[Finding, ...] = ()
    patches: tuple[Patch, ...] = ()
    plugins: tuple[Plugin, ...] = ()
    captured: Captured | None = None
