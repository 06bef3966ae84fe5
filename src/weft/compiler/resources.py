"""A view as a proxy's resources. What the proxies of a scope share is made once; names are unique and sorted."""

from bisect import insort

from weft.compiler.byte_clusters import byte_clusters_behind, byte_clusters_of
from weft.compiler.captured.inbound import captured_inbound
from weft.compiler.captured.outbound import captured_listeners
from weft.compiler.clusters import (
    cluster_resource,
    inbound_cluster_resource,
    original_cluster_resource,
    passthrough_cluster_resource,
)
from weft.compiler.connection_managers import inbound_routes
from weft.compiler.credentials import uses_of
from weft.compiler.endpoints import endpoints_resource
from weft.compiler.gateways import gateway_listener
from weft.compiler.http_filters.claims import Readers
from weft.compiler.http_filters.extras import extras_of
from weft.compiler.listeners import egress_listener, http_proxy_listener, inbound_listener, upstream_listener
from weft.compiler.names import is_of_scope
from weft.compiler.patches.apply import patched
from weft.compiler.plugins.apply import with_plugins
from weft.compiler.quic import quic_listener
from weft.compiler.resource import ROUTES, Resource, Resources
from weft.compiler.routes import captured_routes, egress_routes, gateway_routes, http_proxy_routes, upstream_routes
from weft.compiler.telemetry.calls import calls_told
from weft.compiler.telemetry.decisions import bucket
from weft.compiler.telemetry.tap import untapped
from weft.compiler.udp import udp_listener
from weft.kit.memo import memo, memo_within
from weft.kit.value import Value
from weft.model.security import MtlsMode
from weft.model.traffic import ConnectionPool
from weft.view.view import (
    CapturedPort,
    ConnectionRoute,
    EgressPort,
    GatewayPort,
    HttpProxyPort,
    InboundPort,
    Outbound,
    Passing,
    RoutesKey,
    Target,
    UpstreamPort,
    View,
    VirtualHost,
)

_EACH = 16
"""Bytes that a resource takes in a list of them and in its view's."""
_ROUTES_TIMES = 4


_Strangers = tuple[bool, Target | None]


class _Shared(Value):
    """What the proxies of a scope have in common; ``sorted`` by type and name."""

    sorted: tuple[Resource, ...]


def _own_bytes(made: Resources) -> int:
    """What nothing but a proxy's resources keeps: gateways have routes of their own, the names are of many proxies.

    Routes count several times, because a few of the large ones are enough.
    """
    own = (one for one in made.resources if one.type_url == ROUTES and not is_of_scope(one.name))
    routes = (len(one.body) for one in own)
    return _EACH * len(made.resources) + _ROUTES_TIMES * sum(routes)


@memo_within(64 * 1024 * 1024, _own_bytes)
def resources_of(view: View) -> Resources:
    """Everything that one proxy is sent; equal views give equal bytes."""
    proxy = view.http_proxy
    way = (proxy.allow_any, proxy.egress_proxy) if proxy else None
    captured = view.captured
    ports, strangers = (captured.ports, (captured.allow_any, captured.egress_proxy)) if captured else ((), None)
    found = list(_shared(view.outbound, view.trust_domain, way, ports, strangers).sorted)
    own = {_place(one): one for one in reversed(_own(view))}
    for one in own.values():
        insort(found, one, key=_place)
    made = Resources(resources=tuple(found), findings=view.findings, secrets=uses_of(view))
    made = with_plugins(made, view) if view.plugins else made
    return patched(made, view) if view.patches else made


def _place(resource: Resource) -> tuple[str, str]:
    return (resource.type_url, resource.name)


@memo(256)
def _shared(
    outbound: Outbound,
    trust_domain: str,
    way: _Strangers | None,
    captured: tuple[CapturedPort, ...] = (),
    captured_way: _Strangers | None = None,
) -> _Shared:
    """The clusters and endpoints of a scope, the routes of its HTTP proxies, and those of captured requests.

    ``way`` is what becomes of unknown hosts: whether they pass, and through what; ``None``: there is no HTTP proxy.
    ``captured_way``: likewise for captured connections.
    """
    found = [cluster_resource(upstream, trust_domain) for upstream in outbound.upstreams]
    found += [endpoints_resource(one) for one in outbound.endpoints]
    if way is not None:
        found.append(http_proxy_routes(outbound.virtual_hosts, *way))
    if way == (True, None):
        found.append(passthrough_cluster_resource())
    if captured_way is not None:
        found += [
            captured_routes(one.number, one.virtual_hosts, *captured_way) for one in captured if one.virtual_hosts
        ]
    if captured_way == (True, None):
        found.append(original_cluster_resource())
    unique = {_place(one): one for one in reversed(found)}
    return _Shared(sorted=tuple(unique[key] for key in sorted(unique)))


def _own(view: View) -> list[Resource]:
    found = _http_proxy(view.outbound, view.http_proxy)
    found += [bucket(), calls_told()] if view.inbound or view.gateway_ports else []
    found += untapped()
    mark = view.captured.mark if view.captured else 0
    for inbound in view.inbound:
        found.append(inbound_cluster_resource(inbound, mark))
        found += [inbound_listener(inbound, view.trust_domain)] if inbound.bound else []
        if inbound.protocol.is_http:
            found += _inbound_routes(inbound, unknown=_has_strangers(view) and bool(inbound.guards.tokens))
    for port in view.upstream_ports:
        found += _upstream_port(view.outbound, port)
    for egress in view.egress_ports:
        found += _egress_port(view.outbound, egress, view.http_proxy)
    found += _captured(view)
    found += _gateway_listeners(view)
    found += _gateway_routes(view)
    return found


def _has_strangers(view: View) -> bool:
    """Whether what is put into the chains afterwards may read what filters told."""
    return bool(view.patches or view.plugins)


def _http_proxy(outbound: Outbound, proxy: HttpProxyPort | None) -> list[Resource]:
    return [http_proxy_listener(proxy, extras_of(outbound.virtual_hosts))] if proxy else []


def _captured(view: View) -> list[Resource]:
    captured = view.captured
    if captured is None:
        return []
    found = [*captured_listeners(captured, view.outbound)]
    if not captured.way:
        found.append(captured_inbound(captured, view.inbound, view.trust_domain))
    strangers = (inbound_cluster_resource(one, captured.mark) for one in captured.strangers)
    return [*found, bucket(), calls_told(), *strangers]


def _gateway_listeners(view: View) -> list[Resource]:
    hosts = {routes.key: routes.virtual_hosts for routes in view.gateway_routes}
    found: list[Resource] = []
    for port in view.gateway_ports:
        if port.packets:
            found += [udp_listener(port, chain.to.shares) for chain in port.chains if isinstance(chain.to, Passing)]
            continue
        extras = tuple(extras_of(_hosts_at(chain.to, hosts), chain.limits) for chain in port.chains)
        found.append(
            gateway_listener(
                port, view.trust_domain, _pools_of(view.outbound, port), extras, byte_clusters_of(view.outbound, port)
            )
        )
        if port.http3:
            found.append(quic_listener(port, extras))
    return found


def _hosts_at(to: RoutesKey | Passing, hosts: dict[RoutesKey, tuple[VirtualHost, ...]]) -> tuple[VirtualHost, ...]:
    return hosts.get(to, ()) if isinstance(to, RoutesKey) else ()


def _gateway_routes(view: View) -> list[Resource]:
    limits = dict.fromkeys(chain.limits for port in view.gateway_ports for chain in port.chains if chain.limits)
    readers = Readers(limits=tuple(limits), unknown=_has_strangers(view))
    return [gateway_routes(routes, readers) for routes in view.gateway_routes]


def _inbound_routes(port: InboundPort, *, unknown: bool) -> list[Resource]:
    """Those of callers with certificates, of callers without, or both."""
    ways = {MtlsMode.STRICT: (True,), MtlsMode.DISABLE: (False,)}.get(port.mtls, (True, False))
    return [inbound_routes(port, authenticated=way, unknown=unknown) for way in ways]


def _egress_port(outbound: Outbound, port: EgressPort, proxy: HttpProxyPort | None) -> list[Resource]:
    """The listener; where no HTTP proxy brought it already, also the cluster that unknown hosts go to."""
    pool = _pools(outbound).get(port.target, ConnectionPool()) if port.target else ConnectionPool()
    found = [egress_listener(port, pool, byte_clusters_behind(outbound, port.routes))]
    if port.protocol.is_http:
        found.append(egress_routes(port))
        if proxy is None and port.allow_any and port.egress_proxy is None:
            found.append(passthrough_cluster_resource())
    return found


def _upstream_port(outbound: Outbound, port: UpstreamPort) -> list[Resource]:
    target = port.target
    host = _hosts(outbound).get((target.host, target.port))
    straight = ConnectionRoute(shares=((target, 1),))
    pool, extras = _pools(outbound).get(target, ConnectionPool()), extras_of((host,) if host else ())
    listener = upstream_listener(port, pool, extras, byte_clusters_behind(outbound, port.routes or (straight,)))
    return [listener, upstream_routes(target, host)] if port.protocol.is_http or port.sniffed else [listener]


def _pools_of(outbound: Outbound, port: GatewayPort) -> tuple[tuple[Target, ConnectionPool], ...]:
    """The pools of the targets that a gateway's port passes bytes on to."""
    firsts = {chain.to.shares[0][0]: None for chain in port.chains if isinstance(chain.to, Passing)}
    pools = _pools(outbound)
    return tuple((target, pools[target]) for target in firsts if target in pools)


@memo(256)
def _pools(outbound: Outbound) -> dict[Target, ConnectionPool]:
    return {upstream.target: upstream.connection_pool for upstream in outbound.upstreams}


@memo(256)
def _hosts(outbound: Outbound) -> dict[tuple[str, int], VirtualHost]:
    return {(host.host, host.port): host for host in outbound.virtual_hosts}
