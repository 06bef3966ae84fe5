"""Patches inside an HTTP connection manager: of its filters, and of routes that it holds itself."""

from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    HttpFilter,
)
from weft.compiler.patches.merging import merge_any
from weft.compiler.patches.routes import patch_routes_soundly
from weft.compiler.patches.work import Work, changed
from weft.model.extension import ListenerMatch, Patch, PatchOperation

HTTP_MANAGER = "envoy.filters.network.http_connection_manager"
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
_RENAMED = {
    "envoy.http_connection_manager": HTTP_MANAGER,
    "envoy.tcp_proxy": "envoy.filters.network.tcp_proxy",
    "envoy.redis_proxy": "envoy.filters.network.redis_proxy",
    "envoy.router": "envoy.filters.http.router",
    "envoy.fault": "envoy.filters.http.fault",
    "envoy.cors": "envoy.filters.http.cors",
    "envoy.lua": "envoy.filters.http.lua",
    "envoy.buffer": "envoy.filters.http.buffer",
    "envoy.ext_authz": "envoy.filters.http.ext_authz",
    "envoy.rate_limit": "envoy.filters.http.ratelimit",
}

_HTTP = "envoy.filters.http."
_AUTHN = (_HTTP + "cors", _HTTP + "jwt_authn", "istio_authn", _HTTP + "oauth2", _HTTP + "basic_auth")
_AUTHZ = (*_AUTHN, _HTTP + "rbac", _HTTP + "ext_authz")
_CLASSES = {"AUTHN": _AUTHN, "AUTHZ": _AUTHZ}
"""The filters after which a new one of a class comes; one of STATS comes last before the router, as without a class."""


def canonical(name: str) -> str:
    """A filter's name, also by the one it had in Envoy's first API."""
    return _RENAMED.get(name, name)


def patch_manager(manager: HttpConnectionManager, patches: list[Patch], work: Work) -> None:
    """Make patches of HTTP filters, and those of routes where the manager has no route discovery."""
    if manager.HasField("route_config"):
        patch_routes_soundly(manager.route_config, work)
    filters = list(manager.http_filters)
    for patch in patches:
        if not patch.operation.merges:
            filters = _changed(filters, patch, work)
    for one in filters:
        for patch in patches:
            if patch.operation.merges and _is_named(patch, one):
                _merge(one, patch, work)
    del manager.http_filters[:]
    manager.http_filters.extend(filters)


def _changed(filters: list[HttpFilter], patch: Patch, work: Work) -> list[HttpFilter]:
    """Envoy wants the router last, so what should come after it comes before it."""
    named = isinstance(patch.match, ListenerMatch) and patch.match.sub_filter
    anchor = (lambda one: _is_named(patch, one)) if named else None
    if patch.operation is PatchOperation.ADD and patch.filter_class in _CLASSES:
        return _in_class(filters, patch, work)
    found = changed(filters, patch, lambda: work.value(patch, HttpFilter), anchor)
    if len(found) > 1 and found[-2].typed_config.type_url == _ROUTER and found[-1].typed_config.type_url != _ROUTER:
        found[-2:] = [found[-1], found[-2]]
    return found


def _in_class(filters: list[HttpFilter], patch: Patch, work: Work) -> list[HttpFilter]:
    """After the mesh's own filters of a class, where those stand or would stand; CORS comes before all of them."""
    before = _CLASSES[patch.filter_class]
    at = max((index + 1 for index, one in enumerate(filters) if one.name in before), default=0)
    return [*filters[:at], work.value(patch, HttpFilter), *filters[at:]]


def _merge(into: HttpFilter, patch: Patch, work: Work) -> None:
    value = work.value(patch, HttpFilter)
    replace = patch.operation is PatchOperation.MERGE_AND_REPLACE_LIST
    if value.HasField("typed_config"):
        work.attempt(patch, lambda: merge_any(into.typed_config, value.typed_config, replace_lists=replace))


def _is_named(patch: Patch, one: HttpFilter) -> bool:
    wanted = patch.match.sub_filter if isinstance(patch.match, ListenerMatch) else ""
    return not wanted or one.name in (wanted, canonical(wanted))
