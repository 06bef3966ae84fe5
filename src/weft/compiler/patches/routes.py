"""Patches of route configurations, virtual hosts and routes.

A route configuration that stands for several ports (that of the local HTTP proxy) has virtual hosts named
``host:port``: there, a port chooses among them.
"""

from weft._pb.envoy.config.route.v3.route_components_pb2 import Route, VirtualHost
from weft._pb.envoy.config.route.v3.route_pb2 import RouteConfiguration
from weft.compiler.patches.merging import merge
from weft.compiler.patches.work import Work, changed
from weft.model.extension import Context, Patch, PatchOperation, PatchTarget, RoutesMatch

ROUTE_TARGETS = (PatchTarget.ROUTE_CONFIGURATION, PatchTarget.VIRTUAL_HOST, PatchTarget.HTTP_ROUTE)
_MERGES = (PatchOperation.MERGE, PatchOperation.MERGE_AND_REPLACE_LIST)
_ANY = RoutesMatch()


def patch_routes(routes: RouteConfiguration, work: Work) -> None:
    """Make every patch of routes: the configuration's own, then its hosts', then those that add hosts."""
    for patch in work.of(PatchTarget.ROUTE_CONFIGURATION, *_MERGES):
        if concerns(patch, routes.name, work) and not (_wanted_port(patch) and not work.place.port):
            _merge(work, patch, routes, work.value(patch, RouteConfiguration))
    kept = [found for host in routes.virtual_hosts if (found := _patched_host(host, routes.name, work)) is not None]
    new = work.of(PatchTarget.VIRTUAL_HOST, PatchOperation.ADD)
    kept += [work.value(one, VirtualHost) for one in new if concerns(one, routes.name, work)]
    del routes.virtual_hosts[:]
    routes.virtual_hosts.extend(kept)


def patch_routes_soundly(routes: RouteConfiguration, work: Work) -> None:
    """The same, without the patches that make hosts clash: Envoy would refuse the whole configuration."""
    before = RouteConfiguration()
    before.CopyFrom(routes)
    patch_routes(routes, work)
    if not host_clash(routes):
        return
    accepted: list[Patch] = []
    for patch in [one for target in ROUTE_TARGETS for one in work.of(target)]:
        routes.CopyFrom(before)
        patch_routes(routes, Work((*accepted, patch), work.place))
        clash = host_clash(routes)
        if clash:
            work.left_out(patch, f"{routes.name} would have {clash}")
        else:
            accepted.append(patch)
    routes.CopyFrom(before)
    patch_routes(routes, Work(accepted, work.place))


def host_clash(routes: RouteConfiguration) -> str:
    """Two virtual hosts of one name or domain, which Envoy does not take; "" if there are none."""
    names: set[str] = set()
    domains: set[str] = set()
    for host in routes.virtual_hosts:
        if host.name in names:
            return f"two virtual hosts {host.name}"
        names.add(host.name)
        for domain in host.domains:
            if domain.lower() in domains:
                return f"the domain {domain} twice"
            domains.add(domain.lower())
    return ""


def concerns(patch: Patch, name: str, work: Work) -> bool:
    """Whether a patch is about a route configuration, or about some hosts of it."""
    wanted, place = _match(patch), work.place
    if place.context is Context.GATEWAY:
        return _concerns_gateway(wanted, name)
    port = _wanted_port(patch)
    if port and place.port and port != place.port:
        return False
    return not wanted.name or wanted.name in (name, str(port), *place.names)


def _concerns_gateway(wanted: RoutesMatch, name: str) -> bool:
    """Gateways' routes are named ``http.80`` and ``https.443.<port name>.<gateway>.<namespace>``."""
    parts = name.split(".")
    port = parts[1] if len(parts) > 1 else name
    tls = len(parts) >= 5
    if wanted.port and str(wanted.port) != port:
        return False
    if wanted.port_name and tls and wanted.port_name != parts[2]:
        return False
    if wanted.gateway and tls and wanted.gateway != f"{parts[4]}/{parts[3]}":
        return False
    return not wanted.name or wanted.name == name


def _patched_host(host: VirtualHost, name: str, work: Work) -> VirtualHost | None:
    for patch in work.of(PatchTarget.VIRTUAL_HOST):
        if not (concerns(patch, name, work) and _host_matches(patch, host, work)):
            continue
        if patch.operation is PatchOperation.REMOVE:
            return None
        if patch.operation is PatchOperation.REPLACE:
            host = work.value(patch, VirtualHost)
        elif patch.operation in _MERGES:
            _merge(work, patch, host, work.value(patch, VirtualHost))
    _patch_host_routes(host, name, work)
    return host


def _patch_host_routes(host: VirtualHost, name: str, work: Work) -> None:
    patches = [
        one for one in work.of(PatchTarget.HTTP_ROUTE) if concerns(one, name, work) and _host_matches(one, host, work)
    ]
    if not patches:
        return
    routes = [found for one in host.routes if (found := _patched_route(one, patches, work)) is not None]
    for patch in patches:
        routes = _with_new_route(routes, patch, work)
    del host.routes[:]
    host.routes.extend(routes)


def _patched_route(route: Route, patches: list[Patch], work: Work) -> Route | None:
    for patch in patches:
        if not _route_matches(patch, route):
            continue
        if patch.operation is PatchOperation.REMOVE:
            return None
        if patch.operation in _MERGES:
            _merge(work, patch, route, work.value(patch, Route))
    return route


def _with_new_route(routes: list[Route], patch: Patch, work: Work) -> list[Route]:
    """With a route named, INSERT_FIRST too happens only where that route is."""
    if patch.operation in (PatchOperation.REMOVE, *_MERGES):
        return routes
    wanted = _match(patch)
    anchored = bool(wanted.route or wanted.action)
    absent = anchored and not any(_route_matches(patch, one) for one in routes)
    if patch.operation is PatchOperation.INSERT_FIRST and absent:
        return routes
    anchor = (lambda one: _route_matches(patch, one)) if anchored else None
    return changed(routes, patch, lambda: work.value(patch, Route), anchor)


def _host_matches(patch: Patch, host: VirtualHost, work: Work) -> bool:
    wanted, port = _match(patch), _wanted_port(patch)
    several = not work.place.port and work.place.context is Context.SIDECAR_OUTBOUND
    if port and several and host.name.rpartition(":")[2] != str(port):
        return False
    if wanted.host and wanted.host != host.name:
        return False
    return not wanted.domain or wanted.domain in host.domains


def _route_matches(patch: Patch, route: Route) -> bool:
    wanted = _match(patch)
    if wanted.route and wanted.route != route.name:
        return False
    return not wanted.action or route.WhichOneof("action") == wanted.action.lower()


def _match(patch: Patch) -> RoutesMatch:
    return patch.match if isinstance(patch.match, RoutesMatch) else _ANY


def _wanted_port(patch: Patch) -> int:
    """The port that a patch names; Istio's sidecars name their routes by it."""
    wanted = _match(patch)
    return wanted.port or (int(wanted.name) if wanted.name.isdecimal() and len(wanted.name) <= 5 else 0)


def _merge(work: Work, patch: Patch, into: RouteConfiguration | VirtualHost | Route, value: object) -> None:
    assert isinstance(value, type(into))
    replace = patch.operation is PatchOperation.MERGE_AND_REPLACE_LIST
    work.attempt(patch, lambda: merge(into, value, replace_lists=replace))
