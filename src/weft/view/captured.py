"""What captured connections reach: by port, then requests by their host, bytes by address, TLS by name.

Istio's listeners of a capturing sidecar as one table. HTTP of a port shares its hosts, whatever the address; TCP is
known by the service's virtual addresses, TLS also by the name that the client asks for; the pods of a headless service
by their own addresses.
"""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from weft.model.service import Port, Protocol, Service
from weft.model.sidecar import Egress
from weft.view.connections import Called, connection_routes, is_domain
from weft.view.direct import is_headless, itself
from weft.view.egress import Strangers, hosts_imported
from weft.view.imports import Scope, imported
from weft.view.inbound import captured_strangers
from weft.view.index import MeshIndex
from weft.view.node import Capture, Node
from weft.view.norms import norms_of
from weft.view.scope import outbound_of
from weft.view.tunnels import tunnelled
from weft.view.upstreams import port_of
from weft.view.view import (
    Captured,
    CapturedBytes,
    CapturedPort,
    ConnectionRoute,
    InboundPort,
    Target,
    VirtualHost,
)

_IPV4, _IPV6 = "0.0.0.0", "::"  # noqa: S104  what the host's rules turn here comes to every address


def captured_of(
    index: MeshIndex, scope: Scope, node: Node, strangers: Strangers, inbound: tuple[InboundPort, ...]
) -> Captured | None:
    """The proxy's part; ``None`` where nothing is turned to it."""
    capture = node.capture
    if capture is None or node.gateway is not None:
        return None
    return Captured(
        outbound=capture.outbound,
        inbound=capture.inbound,
        families=_families(capture),
        ports=_ports_of(index, scope, node),
        allow_any=strangers.allow_any,
        egress_proxy=strangers.egress_proxy,
        strangers=captured_strangers(index, node, inbound) if node.is_entered else (),
        norms=norms_of(index.mesh.settings, node.http10),
        mark=capture.mark,
        way=capture.way,
    )


def _families(capture: Capture) -> tuple[str, ...]:
    """IPv4 unless all addresses are of IPv6, and IPv6 where there is one; a network of its own has both."""
    if capture.way:
        return _IPV4, _IPV6
    six = [":" in address for address in capture.addresses]
    return (*((_IPV4,) if not all(six) or not six else ()), *((_IPV6,) if any(six) else ()))


def _ports_of(index: MeshIndex, scope: Scope, node: Node) -> tuple[CapturedPort, ...]:
    """Made once for a scope; the caller's addresses make a difference only where a rule asks for them."""
    addresses = index.addresses_of(node.namespace, node.workload) if _asks_for_source(index, scope) else ()
    key = (scope, addresses)
    if key not in index.captured:
        index.captured[key] = tuple(_ports(index, scope, addresses))
    return index.captured[key]


def _asks_for_source(index: MeshIndex, scope: Scope) -> bool:
    rules = (rule for table in index.seen_by(scope).tables for rule in (*table.tls, *table.tcp))
    return any(match.source_subnet for rule in rules for match in rule.matches)


def _ports(index: MeshIndex, scope: Scope, addresses: tuple[str, ...]) -> Iterator[CapturedPort]:
    asked = {one.port.number: one for one in scope.egress or () if one.port is not None and _is_captured(one)}
    seen = list(index.seen_by(scope).services.values())
    rest, hosts = _by_default(index, scope, seen)
    reached = {number: imported(one, seen, scope.namespace) for number, one in asked.items()}
    numbers = {port.number for service in rest for port in service.ports} | {one.port for one in hosts} | {*asked}
    by_port = _by_number(rest)
    hosts_by_port: dict[int, list[VirtualHost]] = {}
    for host in hosts:
        hosts_by_port.setdefault(host.port, []).append(host)
    for number in sorted(numbers):
        if number in asked:
            own = hosts_imported(index, scope, asked[number], reached[number])
            yield _port(index, scope, number, tuple(own), _by_number(reached[number]).get(number, []), addresses)
        else:
            own = tuple(hosts_by_port.get(number, ()))
            yield _port(index, scope, number, own, by_port.get(number, []), addresses)


def _is_captured(egress: Egress) -> bool:
    """Whether it says what is reached at its port, and does not listen itself."""
    return not egress.any_port and (egress.captured or not egress.bind)


def _by_default(index: MeshIndex, scope: Scope, seen: list[Service]) -> tuple[list[Service], tuple[VirtualHost, ...]]:
    """What is reached at ports that no listener of the Sidecar names."""
    outbound = outbound_of(index.mesh, scope)
    if scope.egress is None:
        return seen, outbound.virtual_hosts
    default = next((one for one in scope.egress if one.port is None), None)
    if default is None:
        return [], ()
    services = imported(default, seen, scope.namespace)
    return services, hosts_imported(index, scope, default, services)


_At = list[tuple[Service, Port]]


def _by_number(services: Iterable[Service]) -> dict[int, _At]:
    found: dict[int, _At] = {}
    for service in services:
        for port in service.ports:
            if port.protocol is not Protocol.UDP:
                found.setdefault(port.number, []).append((service, port))
    return found


def _port(
    index: MeshIndex, scope: Scope, number: int, hosts: tuple[VirtualHost, ...], at: _At, addresses: tuple[str, ...]
) -> CapturedPort:
    ways: list[CapturedBytes] = []
    named: list[CapturedBytes] = []
    for service, port in at:
        if port.protocol.is_http:
            continue
        routes = _routes(index, scope, service, port, addresses)
        way = CapturedBytes(target=Target(host=service.host, port=number), routes=routes, sniffed=port.sniffed)
        if is_headless(service):
            ways += _pods(index, service, port)
        elif own := _addresses(service):
            ways.append(replace(way, addresses=own))
        elif not port.protocol.is_tls:
            ways.append(way)
        if port.protocol.is_tls:
            named.append(replace(way, routes=_by_name(service, routes)))
    ordered = [one for one in ways if one.addresses] + [one for one in ways if not one.addresses][:1]
    return CapturedPort(number=number, virtual_hosts=hosts, ways=tuple(ordered), named=tuple(named))


def _addresses(service: Service) -> tuple[str, ...]:
    return tuple(one for one in service.addresses if one not in ("", "None", "0.0.0.0", "::"))  # noqa: S104


def _routes(
    index: MeshIndex, scope: Scope, service: Service, port: Port, addresses: tuple[str, ...]
) -> tuple[ConnectionRoute, ...]:
    """What rules say of a service's port, else straight to it."""
    services = index.seen_by(scope).services
    called = Called(caller=scope.caller, service=service, port=port, addresses=addresses)
    ruled = connection_routes(
        index.tables_of(scope).table_of(service.host),
        called,
        lambda one: index.resolve(scope.caller, one, port.number, services).target,
    )
    target = Target(host=service.host, port=port.number)
    names = (service.host,) if is_domain(service.host) else ()
    return tunnelled(index, scope, ruled or (ConnectionRoute(shares=((target, 1),), server_names=names),))


def _by_name(service: Service, routes: tuple[ConnectionRoute, ...]) -> tuple[ConnectionRoute, ...]:
    """The routes of a service of TLS that is known by name alone: what is for any name is for its own."""
    return tuple(one if one.server_names else replace(one, server_names=(service.host,)) for one in routes)


def _pods(index: MeshIndex, service: Service, port: Port) -> Iterator[CapturedBytes]:
    """The pods of a headless service that answer at this very port, each by its own address."""
    target = itself(service, port)
    pods = [one for one in index.supply_of(service).workloads if port_of(one, port) == port.number]
    if pods:
        yield CapturedBytes(
            target=target,
            routes=(ConnectionRoute(shares=((target, 1),)),),
            addresses=tuple(sorted({one.address for one in pods})),
            sniffed=port.sniffed,
        )
