"""What a Sidecar says of the way out: listeners of its own, and calls to hosts that are not imported."""

from collections.abc import Iterator

from msgspec.structs import replace

from weft.kit.value import Value
from weft.model.service import Protocol, Service
from weft.model.sidecar import Egress, Sidecar
from weft.view.connections import Called, connection_routes, is_domain
from weft.view.imports import Scope, imported, imports_table
from weft.view.index import MeshIndex
from weft.view.node import Node
from weft.view.norms import norms_of
from weft.view.policy import Caller
from weft.view.scope import outbound_of
from weft.view.tunnels import tunnelled
from weft.view.view import ConnectionRoute, EgressPort, Target, VirtualHost


class Strangers(Value):
    """Whether hosts that are not imported can be called, and through which destination."""

    allow_any: bool
    egress_proxy: Target | None = None


class _Caller(Caller):
    """The proxy's workload, with its addresses."""

    addresses: tuple[str, ...] = ()


def strangers_of(index: MeshIndex, scope: Scope, sidecar: Sidecar | None) -> Strangers:
    """What the Sidecar says, else what the mesh says."""
    if sidecar is None or sidecar.allow_any is None:
        return Strangers(allow_any=index.mesh.settings.allow_any)
    proxy = sidecar.egress_proxy
    if proxy is None:
        return Strangers(allow_any=sidecar.allow_any)
    services = index.seen_by(scope).services
    target = index.resolve(scope.caller, proxy, proxy.port or 0, services).target
    return Strangers(allow_any=sidecar.allow_any, egress_proxy=target)


def egress_of(index: MeshIndex, scope: Scope, node: Node, strangers: Strangers) -> tuple[EgressPort, ...]:
    """The listeners that the Sidecar asks for, without those whose place the proxy itself has."""
    taken = set(_places(node))
    asked = [one for one in scope.egress or () if one.bind and one.port and not one.captured]
    caller = _Caller(
        namespace=node.namespace,
        labels=node.labels,
        addresses=index.addresses_of(node.namespace, node.workload),
    )
    norms = norms_of(index.mesh.settings, node.http10)
    ports = (replace(_egress_port(index, scope, one, strangers, caller), norms=norms) for one in asked)
    return tuple(port for port in ports if (port.bind, port.bind_port) not in taken)


def _places(node: Node) -> Iterator[tuple[str, int]]:
    if node.http_proxy is not None:
        yield node.http_proxy
    yield from ((inlet.bind, inlet.bind_port) for inlet in node.inlets)
    yield from ((outlet.bind, outlet.bind_port) for outlet in node.outlets)


def _egress_port(index: MeshIndex, scope: Scope, egress: Egress, strangers: Strangers, caller: _Caller) -> EgressPort:
    number = egress.port.number if egress.port else 0
    protocol = egress.port.protocol if egress.port else Protocol.HTTP
    seen = index.seen_by(scope).services
    reached = imported(egress, seen.values(), scope.namespace)
    http = protocol.is_http
    passed = [] if http else [one for one in reached if one.ports]
    return EgressPort(
        bind=egress.bind,
        bind_port=number,
        protocol=protocol,
        virtual_hosts=hosts_imported(index, scope, egress, reached) if http else (),
        any_port=egress.any_port,
        target=_target(passed[0]) if passed else None,
        routes=_connections(index, scope, passed, caller),
        allow_any=strangers.allow_any,
        egress_proxy=strangers.egress_proxy,
    )


def hosts_imported(index: MeshIndex, scope: Scope, egress: Egress, reached: list[Service]) -> tuple[VirtualHost, ...]:
    """Those of the scope that the listener imports: services, and hosts that only rules name."""
    known = {(service.host, port.number) for service in reached for port in service.ports}
    seen = index.seen_by(scope)
    number = egress.port.number if egress.port else 0
    tables = [table for table in seen.tables if imports_table(egress, table, scope.namespace)]
    named = {host for table in tables for host in table.hosts if host not in seen.services}
    outbound = outbound_of(index.mesh, scope)
    return tuple(
        one
        for one in outbound.virtual_hosts
        if (one.host, one.port) in known or (one.host in named and number in (0, one.port))
    )


def _connections(
    index: MeshIndex, scope: Scope, reached: list[Service], caller: _Caller
) -> tuple[ConnectionRoute, ...]:
    """The rules of the services that are imported; TLS clients name one of them, the first takes all other bytes."""
    found: list[ConnectionRoute] = []
    for service in reached:
        found += _routes(index, scope, service, caller, alone=len(reached) == 1)
    named: dict[str, ConnectionRoute] = {}
    for route in found:
        for name in route.server_names:
            named.setdefault(name, route)
    kept = [
        replace(route, server_names=names)
        for route in found
        if (names := tuple(name for name in route.server_names if named[name] is route))
    ]
    return tunnelled(index, scope, (*kept, *[route for route in found if not route.server_names][:1]))


def _routes(
    index: MeshIndex, scope: Scope, service: Service, caller: _Caller, *, alone: bool
) -> tuple[ConnectionRoute, ...]:
    """What rules say of a service, else straight to it; one of several that speak TLS takes those who ask for it."""
    port, services = service.ports[0], index.seen_by(scope).services
    called = Called(caller=caller, service=service, port=port, addresses=caller.addresses)
    ruled = connection_routes(
        index.tables_of(scope).table_of(service.host),
        called,
        lambda one: index.resolve(scope.caller, one, port.number, services).target,
    )
    names = (service.host,) if port.protocol.is_tls and (not alone or is_domain(service.host)) else ()
    return ruled or (ConnectionRoute(shares=((_target(service), 1),), server_names=names),)


def _target(service: Service) -> Target:
    return Target(host=service.host, port=service.ports[0].number)
