"""The ports that peers call: what the agent declared, with what services and the Sidecar's ingress say of them."""

from msgspec.structs import replace

from weft.kit.value import first, includes
from weft.model.service import Port, Protocol, Service
from weft.model.sidecar import Ingress, Sidecar
from weft.model.traffic import ConnectionPool
from weft.view.imports import Scope
from weft.view.index import MeshIndex
from weft.view.node import Inlet, Node
from weft.view.norms import norms_of
from weft.view.policy import traffic_policy
from weft.view.view import InboundPort

_LOCAL = "127.0.0.1"


def inbound_of(index: MeshIndex, scope: Scope, node: Node, sidecar: Sidecar | None) -> tuple[InboundPort, ...]:
    """The inbound ports of a proxy.

    Where the Sidecar has an ingress, services say nothing of the ports any more, as in Istio: a declared port that it
    does not name passes through as the agent declared it.
    """
    default = sidecar.inbound_pool if sidecar else None
    if sidecar is None or not sidecar.ingress:
        return tuple(_by_service(index, scope, node, inlet, default) for inlet in node.inlets)
    listed = {ingress.port.number: ingress for ingress in sidecar.ingress}
    found = [_by_ingress(index, node, inlet, listed.get(inlet.port), default) for inlet in node.inlets]
    declared = {inlet.port for inlet in node.inlets}
    captured = node.is_entered
    more = [one for one in sidecar.ingress if (one.bind or captured) and one.port.number not in declared]
    return (*found, *(_by_ingress(index, node, _inlet(one), one, default) for one in more))


def _by_service(
    index: MeshIndex, scope: Scope, node: Node, inlet: Inlet, default: ConnectionPool | None
) -> InboundPort:
    """The service that names this port says its protocol, as in Istio; else the agent does."""
    found = _named_by(index, node, inlet)
    if found is None:
        return _port(index, node, inlet, inlet.protocol, default)
    service, port = found
    rule = index.policy_of(scope.caller, service.host, {service.host: service})
    pool = default or traffic_policy(rule, port.number).connection_pool
    return replace(_port(index, node, inlet, port.protocol, pool), host=service.host)


def _by_ingress(
    index: MeshIndex, node: Node, inlet: Inlet, ingress: Ingress | None, default: ConnectionPool | None
) -> InboundPort:
    if ingress is None:
        return _port(index, node, inlet, inlet.protocol, default)
    placed = replace(inlet, app=ingress.app or inlet.app, app_port=ingress.app_port or inlet.app_port)
    port = _port(index, node, placed, ingress.port.protocol, ingress.connection_pool or default)
    if not node.is_entered:
        return port
    return replace(port, captured=inlet.app_port, original=port.original and not ingress.app)


def captured_strangers(index: MeshIndex, node: Node, declared: tuple[InboundPort, ...]) -> tuple[InboundPort, ...]:
    """The application's ports that nobody declared: those that a policy names, and 0 for all others.

    Their connections go on as they are (Istio: ``inboundTrafficPolicy: PASSTHROUGH``).
    """
    peers = index.peers_of(node.namespace)
    known = {one.captured for one in declared}
    numbers = (*(number for number in peers.ports_named(node.labels) if number not in known), 0)
    return tuple(_stranger(index, node, number) for number in numbers)


def _stranger(index: MeshIndex, node: Node, number: int) -> InboundPort:
    inlet = Inlet(name="", port=number, bind=_LOCAL, bind_port=number, app_port=number, protocol=Protocol.TCP)
    return _port(index, node, inlet, Protocol.TCP, None)


def _inlet(ingress: Ingress) -> Inlet:
    """A port that only the Sidecar names."""
    number = ingress.port.number
    return Inlet(
        name=ingress.port.name or str(number),
        port=number,
        bind=ingress.bind or _LOCAL,
        bind_port=number,
        app=_LOCAL,
        app_port=number,
    )


def _port(index: MeshIndex, node: Node, inlet: Inlet, protocol: Protocol, pool: ConnectionPool | None) -> InboundPort:
    return InboundPort(
        name=inlet.name,
        port=inlet.port,
        protocol=protocol,
        bind=inlet.bind,
        bind_port=inlet.bind_port,
        app=inlet.app,
        app_port=inlet.app_port,
        mtls=index.peers_of(node.namespace).mode_of(node.labels, (inlet.port, inlet.bind_port)),
        connection_pool=pool or ConnectionPool(),
        norms=norms_of(index.mesh.settings, node.http10),
        limits=index.guards.limits_at(node.namespace, node.labels, _named(index, node, inlet)),
        captured=inlet.app_port if node.is_entered else None,
        original=node.is_entered and inlet.app == _LOCAL and inlet.bind_port == inlet.app_port,
    )


def _named_by(index: MeshIndex, node: Node, inlet: Inlet) -> tuple[Service, Port] | None:
    """The first service, HTTP ports before others, whose port stands for this one."""
    pairs = _named(index, node, inlet)
    return first(pair for pair in pairs if pair[1].protocol.is_http) or first(pairs)


def _named(index: MeshIndex, node: Node, inlet: Inlet) -> list[tuple[Service, Port]]:
    """Every service whose port stands for this one."""
    return [
        (service, port)
        for service in index.services_of(node.namespace)
        if service.selector and includes(node.labels, service.selector)
        for port in service.ports
        if port.protocol is not Protocol.UDP and _stands_for(port, inlet)
    ]


def _stands_for(port: Port, inlet: Inlet) -> bool:
    if isinstance(port.target, str):
        return port.target == inlet.name
    return inlet.port == (port.number if port.target is None else port.target)
