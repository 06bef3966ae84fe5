"""A view cut from the mesh for one proxy."""

from weft.kit.value import first, includes
from weft.model.mesh import Mesh
from weft.model.service import Port, Protocol, Service
from weft.model.traffic import ConnectionPool
from weft.view.index import MeshIndex, index_of
from weft.view.node import Inlet, Node, Outlet
from weft.view.policy import traffic_policy
from weft.view.scope import Scope, outbound_of, scope_of
from weft.view.view import HttpProxyPort, InboundPort, Target, UpstreamPort, View


def view_of(mesh: Mesh, node: Node) -> View:
    """Everything that one proxy's resources are made from."""
    index = index_of(mesh)
    scope = scope_of(mesh, node)
    return View(
        trust_domain=mesh.settings.trust_domain,
        outbound=outbound_of(mesh, scope),
        inbound=tuple(_inbound(index, scope, node, inlet) for inlet in node.inlets),
        http_proxy=_http_proxy(mesh, node),
        upstream_ports=tuple(_upstream_port(mesh, node, outlet) for outlet in node.outlets),
    )


def _http_proxy(mesh: Mesh, node: Node) -> HttpProxyPort | None:
    if node.http_proxy is None:
        return None
    bind, port = node.http_proxy
    return HttpProxyPort(bind=bind, bind_port=port, allow_any=mesh.settings.allow_any)


def _inbound(index: MeshIndex, scope: Scope, node: Node, inlet: Inlet) -> InboundPort:
    """The service that names this port says its protocol, as in Istio; else the agent does."""
    found = _named_by(index, node, inlet)
    pool = ConnectionPool()
    if found is not None:
        service, port = found
        pool = traffic_policy(index.policy_of(scope, service.host), port.number).connection_pool or pool
    return InboundPort(
        name=inlet.name,
        port=inlet.port,
        protocol=found[1].protocol if found else inlet.protocol,
        bind=inlet.bind,
        bind_port=inlet.bind_port,
        app=inlet.app,
        app_port=inlet.app_port,
        mtls=index.peers_of(node.namespace).mode_of(node.labels, (inlet.port, inlet.bind_port)),
        connection_pool=pool,
    )


def _named_by(index: MeshIndex, node: Node, inlet: Inlet) -> tuple[Service, Port] | None:
    """The first service, HTTP ports before others, whose port stands for this one."""
    pairs = [
        (service, port)
        for service in index.services_of(node.namespace)
        if service.selector and includes(node.labels, service.selector)
        for port in service.ports
        if port.protocol is not Protocol.UDP and _stands_for(port, inlet)
    ]
    return first(pair for pair in pairs if pair[1].protocol.is_http) or first(pairs)


def _stands_for(port: Port, inlet: Inlet) -> bool:
    if isinstance(port.target, str):
        return port.target == inlet.name
    return inlet.port == (port.number if port.target is None else port.target)


def _upstream_port(mesh: Mesh, node: Node, outlet: Outlet) -> UpstreamPort:
    """A service that is not there yet counts as HTTP, so that callers read an answer that says so."""
    host = qualified(outlet.host, node.namespace, mesh.settings.domain_suffix, mesh)
    service = mesh.services.get(host)
    port = service.port(outlet.port) if service else None
    return UpstreamPort(
        bind=outlet.bind,
        bind_port=outlet.bind_port,
        target=Target(host=host, port=outlet.port),
        protocol=port.protocol if port else Protocol.HTTP,
    )


def qualified(host: str, namespace: str, suffix: str, mesh: Mesh) -> str:
    """A host as the application names it, fully qualified: ``orders``, ``orders.shop``, ``orders.shop.svc``."""
    local = f".svc.{suffix}"
    candidates = (host, f"{host}.{namespace}{local}", f"{host}{local}", f"{host}.{suffix}")
    known = first(name for name in candidates if name in mesh.services)
    if known is not None:
        return known
    return host if "." in host else f"{host}.{namespace}{local}"
