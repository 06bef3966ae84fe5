"""Scopes: proxies that see the same mesh share one ``Outbound``, computed once.

A scope is a namespace, those labels that some rule asks of its callers, their locality where a rule prefers what is
near, and the imports of a Sidecar; most meshes have one for each namespace.
"""

from msgspec.structs import replace

from weft.kit.memo import memo
from weft.kit.runs import Run, joined, runs_of
from weft.kit.value import Value, includes
from weft.model.mesh import Mesh
from weft.model.route import Destination, RouteTable
from weft.model.service import Service
from weft.view.direct import directed, pod_hosts
from weft.view.fallbacks import guarded
from weft.view.imports import IMPORTS_ALL, Scope, Seen
from weft.view.index import MeshIndex, Tables, index_of, mentioned_labels
from weft.view.locality import vantage_of
from weft.view.node import Node
from weft.view.policy import Caller, covers
from weft.view.routes import MESH_GATEWAY, default_route
from weft.view.upstreams import reach_of
from weft.view.view import EndpointSet, Outbound, Route, Upstream, VirtualHost
from weft.view.world import World, world_routes
from weft.view.zones import ZoneCounts, counted

_UNREGISTERED = 80
__all__ = ["Scope", "domains_of", "outbound_of", "scope_of"]


def scope_of(mesh: Mesh, node: Node) -> Scope:
    """The scope that a proxy belongs to."""
    index = index_of(mesh)
    sidecar = index.sidecar_of(Caller(namespace=node.namespace, labels=node.labels))
    egress = sidecar.egress if sidecar else None
    return Scope(
        namespace=node.namespace,
        labels=mentioned_labels(index, node.labels),
        locality=node.locality if index.localities_matter else "",
        peers=_peers(index, node) if index.zones_matter else (),
        egress=None if egress == IMPORTS_ALL else egress,
        egress_proxy=sidecar.egress_proxy if sidecar else None,
        captured=node.capture is not None and node.http_proxy is None and not node.outlets,
    )


def _peers(index: MeshIndex, node: Node) -> ZoneCounts:
    """Where the workloads of the proxy's own services are, itself among them."""
    found = {(node.namespace, node.workload): node.locality}
    for service in index.services_of(node.namespace):
        if service.selector and includes(node.labels, service.selector):
            found |= {(one.namespace, one.name): one.locality for one in index.supply_of(service).workloads}
    return counted(found.values())


def outbound_of(mesh: Mesh, scope: Scope) -> Outbound:
    """What the proxies of a scope can call; equal scopes of one mesh get one object."""
    index = index_of(mesh)
    if scope not in index.outbounds:
        index.outbounds[scope] = _outbound(index, scope)
    return index.outbounds[scope]


def _outbound(index: MeshIndex, scope: Scope) -> Outbound:
    upstreams: list[Upstream] = []
    endpoints: list[EndpointSet] = []
    virtual_hosts: list[VirtualHost] = []
    seen = index.seen_by(scope)
    tables, settings = index.tables_of(scope), index.mesh.settings
    for service in seen.services.values():
        rule = index.policy_of(scope.caller, service.host, seen.services)
        reach = reach_of(index.supply_of(service), rule, settings, vantage_of(rule, scope, settings, service))
        if scope.captured:
            reach = directed(index.supply_of(service), reach)
            virtual_hosts += pod_hosts(service, settings.default_retries, settings.domain_suffix)
        upstreams += reach.upstreams
        endpoints += reach.endpoints
        virtual_hosts += _virtual_hosts(index, scope, service, tables)
    virtual_hosts += _unregistered(index, scope, seen, tables)
    return Outbound(upstreams=tuple(upstreams), endpoints=tuple(endpoints), virtual_hosts=tuple(virtual_hosts))


def _virtual_hosts(index: MeshIndex, scope: Scope, service: Service, tables: Tables) -> list[VirtualHost]:
    domains = domains_of(service, scope.namespace == service.namespace, index.mesh.settings.domain_suffix)
    return [
        _virtual_host(service.host, port.number, domains, _routes(index, scope, service.host, port.number, tables))
        for port in service.ports
        if port.protocol.is_http or port.sniffed
    ]


@memo(65536)
def _virtual_host(host: str, port: int, domains: tuple[str, ...], routes: tuple[Route, ...]) -> VirtualHost:
    """Remembered, so that the same host is the same object for every scope and revision."""
    return VirtualHost(host=host, port=port, domains=domains, routes=routes)


def _routes(index: MeshIndex, scope: Scope, host: str, port: int, tables: Tables) -> tuple[Route, ...]:
    """The routes of the host's table; where none concerns this caller, straight to the service."""
    retries, services = index.mesh.settings.default_retries, index.seen_by(scope).services
    table = tables.table_of(host)
    if table is not None and (routes := index.routes(scope, table, port)):
        return guarded(index, scope, routes, port)
    resolved = index.resolve(scope.caller, Destination(host=host, port=port), port, services)
    return guarded(index, scope, (default_route(resolved, retries),), port)


def _unregistered(index: MeshIndex, scope: Scope, seen: Seen, tables: Tables) -> list[VirtualHost]:
    """Hosts that only a route table names: Istio serves them on port 80 alone."""
    known = set(seen.services)
    hosts = [host for host in tables.by_host if host != "*" and host not in known and not _covers_any(host, known)]
    world, caller = index.world(scope)
    runs = runs_of(_Named(host=host, table=tables.by_host[host]) for host in sorted(hosts))
    found = joined(_hosts(run, world, caller) for run in runs)
    if not index.guards.breakers:
        return list(found)
    return [replace(one, routes=guarded(index, scope, one.routes, _UNREGISTERED)) for one in found]


class _Named(Value):
    """A host and the route table that names it."""

    host: str
    table: RouteTable


@memo(8192)
def _hosts(run: Run[_Named], world: World, caller: Caller) -> tuple[VirtualHost, ...]:
    asked = ((one.host, world_routes(world, one.table, caller, _UNREGISTERED, MESH_GATEWAY)) for one in run.items)
    return tuple(_virtual_host(host, _UNREGISTERED, (host,), routes) for host, routes in asked if routes)


def _covers_any(pattern: str, hosts: set[str]) -> bool:
    return pattern.startswith("*") and any(covers(pattern, host) for host in hosts)


@memo(16384)
def domains_of(service: Service, near: bool, suffix: str) -> tuple[str, ...]:
    """The names by which a caller may call a service (Istio's, without ports); ``near``: of its own namespace."""
    names = [service.host]
    if not service.host.startswith("*"):
        names.append(service.host + ".")
    qualified = f"{service.name}.{service.namespace}"
    if service.host in (f"{qualified}.svc.{suffix}", qualified):
        names += [service.name] if near else []
        names += [f"{qualified}.svc", qualified]
    names += [_bracketed(address) for address in service.addresses if _is_one_address(address)]
    return tuple(dict.fromkeys(names))


def _is_one_address(address: str) -> bool:
    return "/" not in address and address not in ("", "None", "0.0.0.0", "::")  # noqa: S104


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
