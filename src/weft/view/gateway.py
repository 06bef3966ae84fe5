"""The view of a gateway: no application, but the ports that ``Gateway`` documents with its labels ask for.

Rules bind to a server by their gateways and hosts. On one port, rules of several documents for a host are tried one
document after the other, oldest first. Source: Istio ``Gateway`` and ``VirtualService.gateways``.
"""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from weft.kit.value import Value
from weft.model.finding import Finding, Path, Severity
from weft.model.gateway import Gateway, Placed, Server, covers_labels, merged
from weft.model.gateway_connections import finds_clusters, passages_of, reads_requests, server_names
from weft.model.mesh import Mesh
from weft.model.service import Protocol
from weft.model.settings import GatewayTopology
from weft.view.bound import bound_to, seen_tables
from weft.view.challenges import answering
from weft.view.client_certificate import with_certificate
from weft.view.credentials import absent_credentials
from weft.view.default_endpoints import left_over, with_defaults
from weft.view.gateway_connections import (
    default_chain,
    outbound_of_gateway,
    passing_chain,
    sealed_chains,
    server_chain_name,
)
from weft.view.guards import limited
from weft.view.index import MeshIndex, index_of
from weft.view.listeners import plaintext_hosts, secure_hosts
from weft.view.node import GatewayPlace, Node
from weft.view.norms import norms_of
from weft.view.patches import patches_for
from weft.view.plugins import plugins_for
from weft.view.scope import Scope, scope_of
from weft.view.shared_hosts import shared_hosts
from weft.view.view import (
    GatewayChain,
    GatewayPort,
    GatewayRoutes,
    Outbound,
    RoutesKey,
    View,
    VirtualHost,
)

_HIGHEST_PORT = 65_535


class _Edge(Value):
    """Who looks, and where it may listen."""

    scope: Scope
    place: GatewayPlace
    node: str
    http10: bool = False


def gateway_view(mesh: Mesh, node: Node, place: GatewayPlace) -> View:
    """Everything that one gateway's resources are made from."""
    index = index_of(mesh)
    scope = replace(scope_of(mesh, node), egress=None, egress_proxy=None)
    edge = _Edge(scope=scope, place=place, node=node.id, http10=node.http10)
    chosen = covers_labels(gateways_for(mesh, node.namespace), node.labels, node.namespace)
    servers, findings = _openable(merged(chosen).servers, edge)
    ports = _by_port(servers)
    found = (one for group in ports.values() for one in _routes_of_port(index, edge, group))
    routes = [answering(one, mesh.challenges) for one in found]
    outbound = with_certificate(outbound_of_gateway(index, edge.scope, servers), servers, mesh.services)
    outbound = with_defaults(outbound, servers)
    opened = _apart(_port(index, edge, group, outbound) for group in ports.values())
    held = [(server_chain_name(placed), placed) for placed in servers]
    return View(
        trust_domain=mesh.settings.trust_domain,
        outbound=outbound,
        gateway_ports=tuple(limited(port, held, index.guards, node) for port in opened if port.chains),
        gateway_routes=tuple(routes),
        findings=(*findings, *absent_credentials(mesh, node, servers)),
        patches=patches_for(mesh, node),
        plugins=plugins_for(mesh, node),
    )


def gateways_for(mesh: Mesh, namespace: str) -> tuple[Gateway, ...]:
    """The gateways whose servers proxies of a namespace may open."""
    if not mesh.settings.apart:
        return mesh.gateways
    return tuple(one for one in mesh.gateways if one.namespace in (namespace, mesh.settings.root_namespace))


def _openable(servers: Iterable[Placed], edge: _Edge) -> tuple[list[Placed], list[Finding]]:
    """Servers whose port the gateway can open, and what it says of the others."""
    kept: list[Placed] = []
    findings: list[Finding] = []
    for placed in servers:
        number = placed.server.port + edge.place.port_offset
        if number > _HIGHEST_PORT:
            findings.append(
                _closed(placed, edge, f"port {number} does not exist", "start it with a smaller --port-offset")
            )
        elif number < edge.place.lowest_port:
            message = f"it has not the privilege to open port {number}"
            findings.append(_closed(placed, edge, message, "start it with --port-offset 8000, or with the privilege"))
        else:
            kept.append(placed)
    return kept, findings


def _closed(placed: Placed, edge: _Edge, why: str, advice: str) -> Finding:
    return Finding(
        code="W0223",
        message=f"the gateway {edge.node} does not open port {placed.server.port}: {why}",
        severity=Severity.WARNING,
        document=placed.gateway.origin.key,
        path=_port_path(placed.server),
        help=advice,
    )


def _port_path(server: Server) -> Path:
    """Where a document says which port it is."""
    if server.section:
        return ("spec", "listeners", server.index, "port")
    return ("spec", "servers", server.index, "port", "number")


def _by_port(servers: Iterable[Placed]) -> dict[tuple[str, int, bool], list[Placed]]:
    found: dict[tuple[str, int, bool], list[Placed]] = {}
    for placed in servers:
        found.setdefault(placed.server.place, []).append(placed)
    return found


def _port(index: MeshIndex, edge: _Edge, group: list[Placed], outbound: Outbound) -> GatewayPort:
    """A port; without chains where no rule says where its connections go."""
    server, place = group[0].server, edge.place
    return GatewayPort(
        bind=server.bind or place.bind,
        bind_port=server.port + place.port_offset,
        port=server.port,
        topology=_topology(place, index.mesh.settings.topology),
        packets=server.protocol is Protocol.UDP,
        http3=place.http3 and any(_speaks_http3(placed.server) for placed in group),
        norms=norms_of(index.mesh.settings, edge.http10),
        chains=tuple(_chains(index, edge.scope, group, outbound)),
    )


def _apart(ports: Iterable[GatewayPort]) -> Iterator[GatewayPort]:
    """A UDP port that a listener has is not one for QUIC too."""
    found = list(ports)
    taken = {(port.bind, port.bind_port) for port in found if port.packets}
    for port in found:
        yield replace(port, http3=False) if port.http3 and (port.bind, port.bind_port) in taken else port


def _topology(place: GatewayPlace, mesh: GatewayTopology) -> GatewayTopology:
    """What the gateway says of its place, else what the mesh says."""
    return replace(
        mesh,
        trusted_proxies=place.trusted_hops or mesh.trusted_proxies,
        proxy_protocol=place.proxy_protocol or mesh.proxy_protocol,
    )


def _speaks_http3(server: Server) -> bool:
    """Whether requests may come by QUIC."""
    return server.tls is not None and server.tls.fits_quic and reads_requests(server)


def _chains(index: MeshIndex, scope: Scope, group: list[Placed], outbound: Outbound) -> Iterator[GatewayChain]:
    """Plaintext servers share one; a TLS server has its own, and so has each name whose bytes are passed on."""
    if group[0].server.family == "HTTP":
        yield replace(_chain(group[0]), grpc_web=any(one.server.protocol is Protocol.GRPC_WEB for one in group))
        return
    for placed in group:
        if finds_clusters(placed.server):
            yield from sealed_chains(placed, outbound)
        elif reads_requests(placed.server):
            yield _chain(placed)
    passages = passages_of(group, lambda placed: seen_tables(index, scope, placed)).passages
    yield from (passing_chain(index, scope, passage) for passage in passages)
    yield from (default_chain(*one) for one in left_over(group, passages))


def _chain(placed: Placed) -> GatewayChain:
    server = placed.server
    return GatewayChain(
        name=server_chain_name(placed),
        server_names=server_names(server) if server.tls else (),
        tls=server.tls,
        to=_key(placed),
        grpc_web=server.protocol is Protocol.GRPC_WEB,
    )


def _key(placed: Placed) -> RoutesKey:
    server, gateway = placed.server, placed.gateway
    if server.tls is None:
        return RoutesKey(port=server.port, bind=server.bind)
    return RoutesKey(
        port=server.port, bind=server.bind, server=server.port_name, gateway=gateway.name, namespace=gateway.namespace
    )


def _routes_of_port(index: MeshIndex, edge: _Edge, group: list[Placed]) -> Iterator[GatewayRoutes]:
    """Plaintext servers share their routes; a TLS server has its own; one that passes bytes on has none."""
    read = [placed for placed in group if reads_requests(placed.server)]
    scope = edge.scope
    if read and group[0].server.family == "HTTP":
        yield GatewayRoutes(key=_key(read[0]), virtual_hosts=_plaintext_hosts(index, scope, read))
        return
    for placed in read:
        if placed.server.section:
            hosts = tuple(secure_hosts(placed, group, lambda one: bound_to(index, scope, one)))
        else:
            hosts = shared_hosts([placed], lambda one: bound_to(index, scope, one))
        http3 = edge.place.http3 and _speaks_http3(placed.server)
        yield GatewayRoutes(key=_key(placed), virtual_hosts=hosts, http3=http3)


def _plaintext_hosts(index: MeshIndex, scope: Scope, group: list[Placed]) -> tuple[VirtualHost, ...]:
    """Listeners that are apart from each other, and servers that share their hosts where no listener has them."""
    listeners = [one for one in group if one.server.section]
    shared = [one for one in group if not one.server.section]
    apart = tuple(plaintext_hosts(listeners, lambda one: bound_to(index, scope, one)))
    hosts = shared_hosts(shared, lambda one: bound_to(index, scope, one)) if shared else ()
    if not apart or not hosts:
        return (*apart, *hosts)
    taken = {domain for host in apart for domain in host.domains}
    return (*apart, *(host for host in hosts if taken.isdisjoint(host.domains)))
