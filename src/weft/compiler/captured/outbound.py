"""Where the application's captured connections go: one listener takes them all, one for each port number decides.

The first passes on what is sent to ports that the mesh does not know, and looks at no bytes. The others have no
sockets: Envoy hands them what was sent to their port (``use_original_dst``). Only those look at the first bytes whose
port needs it, so a client of a protocol in which the server speaks first waits for nothing. A new service changes the
chains of its port's listener, or its routes alone. Source: Istio's ``virtualOutbound`` and ``0.0.0.0_<port>``.
"""

from collections.abc import Iterator

from google.protobuf.wrappers_pb2 import BoolValue

from weft._pb.envoy.config.core.v3.address_pb2 import Address, Pipe
from weft._pb.envoy.config.core.v3.base_pb2 import TrafficDirection
from weft._pb.envoy.config.listener.v3.listener_components_pb2 import Filter, FilterChain, FilterChainMatch
from weft._pb.envoy.config.listener.v3.listener_pb2 import AdditionalAddress, Listener
from weft._pb.envoy.extensions.filters.listener.proxy_protocol.v3.proxy_protocol_pb2 import ProxyProtocol
from weft.compiler.byte_clusters import ByteClusters, byte_clusters_behind
from weft.compiler.captured.chains import (
    OnMatch,
    by_address,
    by_name,
    chain,
    requests_or,
)
from weft.compiler.connection_managers import outbound_manager
from weft.compiler.http_filters.extras import extras_of
from weft.compiler.http_filters.filter import Place
from weft.compiler.listeners import connections, inspectors, tcp_proxy
from weft.compiler.names import (
    BLACK_HOLE_CLUSTER,
    CAPTURED_OUTBOUND,
    ORIGINAL_CLUSTER,
    captured_listener_name,
    captured_route_name,
    cluster_name,
    statistics_name,
)
from weft.compiler.resource import LISTENER, Resource, resource
from weft.compiler.telemetry.metrics import connections_out
from weft.compiler.telemetry.tap import tapped_connections_out
from weft.compiler.telemetry.user_logs import logs_of_connections
from weft.compiler.wire import BUFFER_LIMIT, milliseconds, number, packed, serialized, socket
from weft.kit.memo import memo
from weft.model.traffic import ConnectionPool
from weft.view.view import Captured, CapturedBytes, CapturedPort, Norms, Outbound, Target

VIRTUAL = ("240.240.0.0/15", "2001:2::/48")
"""The addresses that the mesh gives to services: whatever is sent there is for it."""

_OWNER_ONLY = 0o600
_PASS, _REQUESTS = "passthrough", "requests"
Pools = tuple[tuple[Target, ConnectionPool], ...]


def captured_listeners(captured: Captured, outbound: Outbound) -> Iterator[Resource]:
    """All of them."""
    way = _onward(captured)
    if captured.way:
        yield _way_in(captured.way, way, captured.norms)
    else:
        yield _entrance(captured.outbound, captured.inbound, captured.families, way, captured.norms)
    pools = {upstream.target: upstream.connection_pool for upstream in outbound.upstreams}
    for port in captured.ports:
        ways = (*port.ways, *port.named)
        behind = byte_clusters_behind(outbound, (route for one in ways for route in one.routes))
        own = tuple((one.target, pools[one.target]) for one in ways if one.target in pools)
        yield _listener(port, captured.families, way, captured.norms, behind, own)


def _onward(captured: Captured) -> str:
    """The cluster of connections that nothing in the mesh is for."""
    if not captured.allow_any:
        return BLACK_HOLE_CLUSTER
    return cluster_name(captured.egress_proxy) if captured.egress_proxy else ORIGINAL_CLUSTER


@memo(4096)
def _entrance(outbound: int, inbound: int, families: tuple[str, ...], onward: str, norms: Norms) -> Resource:
    """What is sent to the listener's own port, by nobody's rules, would go round for ever."""
    listener = _bare(CAPTURED_OUTBOUND, outbound, families)
    listener.use_original_dst.value = True
    for port in (outbound, inbound):
        nowhere = tcp_proxy("blackhole", [(BLACK_HOLE_CLUSTER, 1)], ConnectionPool())
        match = FilterChainMatch(destination_port=number(port))
        listener.filter_chains.add(name=f"blackhole_{port}", filter_chain_match=match, filters=[nowhere])
    listener.default_filter_chain.CopyFrom(_passing(onward, norms))
    return resource(LISTENER, CAPTURED_OUTBOUND, serialized(listener))


@memo(4096)
def _way_in(path: str, onward: str, norms: Norms) -> Resource:
    """A Unix socket, by which another network's connections come; PROXY headers say where they were sent."""
    listener = Listener(
        name=CAPTURED_OUTBOUND,
        stat_prefix=statistics_name(CAPTURED_OUTBOUND),
        address=Address(pipe=Pipe(path=path, mode=_OWNER_ONLY)),
        traffic_direction=TrafficDirection.OUTBOUND,
        per_connection_buffer_limit_bytes=number(BUFFER_LIMIT),
    )
    listener.use_original_dst.value = True
    told = listener.listener_filters.add(name="envoy.filters.listener.proxy_protocol")
    told.typed_config.CopyFrom(packed(ProxyProtocol()))
    listener.default_filter_chain.CopyFrom(_passing(onward, norms))
    return resource(LISTENER, CAPTURED_OUTBOUND, serialized(listener))


@memo(32768)
def _listener(
    port: CapturedPort, families: tuple[str, ...], onward: str, norms: Norms, clusters: ByteClusters, pools: Pools
) -> Resource:
    """One port's."""
    name = captured_listener_name(port.number)
    listener = _bare(name, port.number, families)
    listener.bind_to_port.value = False
    chains = {_PASS: _passing(onward, norms)}
    if port.virtual_hosts:
        chains[_REQUESTS] = FilterChain(name=_REQUESTS, filters=[_manager(port, norms)])
    for way in (*port.ways, *port.named):
        chains |= _chains(way, dict(pools).get(way.target, ConnectionPool()), clusters, norms)
    listener.filter_chains.extend(chains.values())
    listener.filter_chain_matcher.CopyFrom(_question(port).matcher)
    if _looks(port):
        listener.listener_filters.extend(inspectors(requests=bool(port.virtual_hosts)))
        listener.listener_filters_timeout.CopyFrom(milliseconds(norms.inspection_timeout))
        listener.continue_on_listener_filters_timeout = True
    return resource(LISTENER, name, serialized(listener))


def _bare(name: str, port: int, families: tuple[str, ...]) -> Listener:
    return Listener(
        name=name,
        stat_prefix=statistics_name(name),
        address=socket(families[0], port),
        additional_addresses=[AdditionalAddress(address=socket(one, port)) for one in families[1:]],
        traffic_direction=TrafficDirection.OUTBOUND,
        per_connection_buffer_limit_bytes=number(BUFFER_LIMIT),
        enable_reuse_port=BoolValue(value=False),
    )


def _manager(port: CapturedPort, norms: Norms) -> Filter:
    name = captured_route_name(port.number)
    return outbound_manager(Place.HTTP_PROXY, f"outbound_{name}", name, norms, extras_of(port.virtual_hosts))


def _passing(onward: str, norms: Norms) -> FilterChain:
    told = norms.telemetry.client
    logs = (*connections_out(told.counting), tapped_connections_out(), *logs_of_connections(told))
    return FilterChain(name=_PASS, filters=[tcp_proxy(onward, [(onward, 1)], ConnectionPool(), logs=logs)])


def _looks(port: CapturedPort) -> bool:
    """Whether the first bytes tell anything."""
    named = any(route.server_names for way in port.ways for route in way.routes)
    return bool(port.virtual_hosts or port.named) or named


def _chains(way: CapturedBytes, pool: ConnectionPool, clusters: ByteClusters, norms: Norms) -> dict[str, FilterChain]:
    prefix = statistics_name(cluster_name(way.target))
    found = {}
    for index, route in enumerate(way.routes):
        made = connections(prefix, route, pool, clusters, norms)
        made.ClearField("filter_chain_match")
        made.name = _name(way.target, index)
        found[made.name] = made
    return found


def _name(target: Target, index: int) -> str:
    return f"{cluster_name(target)}|{index}" if index else cluster_name(target)


def _question(port: CapturedPort) -> OnMatch:
    """Address first, then name, then what the bytes look like."""
    rest = chain(_PASS)
    for way in port.ways:
        if not way.addresses:
            rest = _way(way, port)
    requests = chain(_REQUESTS)
    if port.virtual_hosts:
        rest = requests_or(requests, rest)
    rest = by_name(_names(port.named), rest)
    places = dict.fromkeys(VIRTUAL, requests) if port.virtual_hosts else {}
    for way in reversed(port.ways):
        places |= dict.fromkeys(way.addresses, _way(way, port))
    if places:
        rest = by_address(places, rest)
    return rest if rest.HasField("matcher") else by_name({}, _always(rest))


def _always(end: OnMatch) -> OnMatch:
    """A matcher without a question."""
    found = OnMatch()
    found.matcher.on_no_match.CopyFrom(end)
    return found


def _way(way: CapturedBytes, port: CapturedPort) -> OnMatch:
    """TLS by its name; a client that asks for none of the names, where there is no way for all, is refused."""
    names = _names((way,))
    rest = next((chain(_name(way.target, at)) for at, one in enumerate(way.routes) if not one.server_names), None)
    found = by_name(names, rest if rest is not None else chain(_PASS))
    return requests_or(chain(_REQUESTS), found) if way.sniffed and port.virtual_hosts else found


def _names(ways: tuple[CapturedBytes, ...]) -> dict[str, OnMatch]:
    """Chains by server name; of two for one name, the first."""
    found: dict[str, OnMatch] = {}
    for way in ways:
        for index, route in enumerate(way.routes):
            for name in route.server_names:
                found.setdefault(name, chain(_name(way.target, index)))
    return found
