"""A view cut from the mesh for one proxy."""

from collections.abc import Mapping

from msgspec.structs import replace

from weft.kit.value import first
from weft.model.mesh import Mesh
from weft.model.service import Protocol, Service
from weft.view.access_policies import guarded
from weft.view.captured import captured_of
from weft.view.connections import Called, connection_routes, is_domain
from weft.view.egress import Strangers, egress_of, strangers_of
from weft.view.gateway import gateway_view
from weft.view.gateway_labels import labelled
from weft.view.inbound import inbound_of
from weft.view.index import MeshIndex, index_of
from weft.view.node import Node, Outlet
from weft.view.norms import norms_of
from weft.view.patches import patches_for
from weft.view.plugins import plugins_for
from weft.view.policy import Caller
from weft.view.scope import Scope, outbound_of, scope_of
from weft.view.telemetry import observed
from weft.view.tunnels import tunnelled
from weft.view.view import ConnectionRoute, HttpProxyPort, Norms, Target, UpstreamPort, View


def view_of(mesh: Mesh, node: Node) -> View:
    """Everything that one proxy's resources are made from."""
    node = labelled(mesh, node)
    return observed(mesh, node, guarded(mesh, node, _unguarded(mesh, node)))


def _unguarded(mesh: Mesh, node: Node) -> View:
    if node.gateway is not None:
        return gateway_view(mesh, node, node.gateway)
    index = index_of(mesh)
    scope = scope_of(mesh, node)
    sidecar = index.sidecar_of(Caller(namespace=node.namespace, labels=node.labels))
    strangers = strangers_of(index, scope, sidecar)
    inbound = inbound_of(index, scope, node, sidecar)
    return View(
        trust_domain=mesh.settings.trust_domain,
        outbound=outbound_of(mesh, scope),
        inbound=inbound,
        http_proxy=_http_proxy(node, strangers, norms_of(mesh.settings, node.http10)),
        upstream_ports=tuple(_upstream_port(index, scope, node, outlet) for outlet in node.outlets),
        egress_ports=egress_of(index, scope, node, strangers),
        patches=patches_for(mesh, node),
        plugins=plugins_for(mesh, node),
        captured=captured_of(index, scope, node, strangers, inbound),
    )


def _http_proxy(node: Node, strangers: Strangers, norms: Norms) -> HttpProxyPort | None:
    if node.http_proxy is None:
        return None
    bind, port = node.http_proxy
    return HttpProxyPort(
        bind=bind, bind_port=port, allow_any=strangers.allow_any, egress_proxy=strangers.egress_proxy, norms=norms
    )


def _upstream_port(index: MeshIndex, scope: Scope, node: Node, outlet: Outlet) -> UpstreamPort:
    """A service that is not there yet counts as HTTP, so that callers read an answer that says so."""
    mesh = index.mesh
    host = qualified(outlet.host, node.namespace, mesh.settings.domain_suffix, mesh)
    services = index.seen_by(scope).services
    service = services.get(host) or _domain_of(host, outlet.port, services)
    port = service.port(outlet.port) if service else None
    target = Target(host=service.host if service else host, port=outlet.port)
    routes: tuple[ConnectionRoute, ...] = ()
    if service and port and not port.protocol.is_http:
        called = Called(
            caller=Caller(namespace=node.namespace, labels=node.labels),
            service=service,
            port=port,
            addresses=index.addresses_of(node.namespace, node.workload),
        )
        table = index.tables_of(scope).table_of(host)
        names = (host,) if is_domain(service.host) and port.protocol.is_tls else ()
        ruled = connection_routes(
            table, called, lambda one: index.resolve(scope.caller, one, outlet.port, services).target
        )
        straight = ConnectionRoute(shares=((target, 1),), server_names=names)
        routes = tunnelled(index, scope, ruled or (straight,))
        routes = () if not names and tuple(replace(one, written=None) for one in routes) == (straight,) else routes
    return UpstreamPort(
        bind=outlet.bind,
        bind_port=outlet.bind_port,
        target=target,
        protocol=port.protocol if port else Protocol.HTTP,
        routes=routes,
        norms=norms_of(mesh.settings, node.http10),
        sniffed=port.sniffed if port else False,
    )


def _domain_of(host: str, port: int, services: Mapping[str, Service]) -> Service | None:
    """The service that is every host under the narrowest domain that a host is in, if it speaks TLS at a port."""
    found = [one for name, one in services.items() if is_domain(name) and host.endswith(name[1:])]
    speaking = [one for one in found if (at := one.port(port)) is not None and at.protocol.is_tls]
    return max(speaking, key=lambda one: len(one.host), default=None)


def qualified(host: str, namespace: str, suffix: str, mesh: Mesh) -> str:
    """A host as the application names it, fully qualified: ``orders``, ``orders.shop``, ``orders.shop.svc``."""
    local = f".svc.{suffix}"
    candidates = (host, f"{host}.{namespace}{local}", f"{host}{local}", f"{host}.{suffix}")
    known = first(name for name in candidates if name in mesh.services)
    if known is not None:
        return known
    return host if "." in host else f"{host}.{namespace}{local}"
