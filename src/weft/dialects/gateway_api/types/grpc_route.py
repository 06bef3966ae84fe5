"""GRPCRoute."""

from typing import Literal

from weft.dialects.gateway_api.types.common import (
    BackendObjectReference,
    CommonRouteSpec,
    Hostname,
    LocalObjectReference,
    Name,
)
from weft.dialects.gateway_api.types.http_route import (
    HttpHeaderFilter,
    HttpHeaderMatch,
    HttpRequestMirrorFilter,
    SessionPersistence,
    Weight,
)
from weft.dialects.wire import Many, Wire, items, needed, unset


class GrpcMethodMatch(Wire):
    """A condition on service and method."""

    type: Literal["Exact", "RegularExpression"] | None = unset("How, Exact if unset.")
    service: str | None = unset("The service with its package, any if unset.", max_length=1024)
    method: str | None = unset("The method, any if unset.", max_length=1024)


class GrpcRouteMatch(Wire):
    """Conditions on a call that hold together."""

    method: GrpcMethodMatch | None = unset("Service and method, any if unset.")
    headers: Many[HttpHeaderMatch] = items("Metadata.", max_length=16)


class GrpcRouteFilter(Wire):
    """A step on the way of a call; the field of its type is set."""

    type: Literal["RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "ExtensionRef"] = needed(
        "Which one."
    )
    request_header_modifier: HttpHeaderFilter | None = unset("Changes to metadata of the call.")
    response_header_modifier: HttpHeaderFilter | None = unset("Changes to metadata of the answer.")
    request_mirror: HttpRequestMirrorFilter | None = unset("Copies to another backend.")
    extension_ref: LocalObjectReference | None = unset("A filter of the implementation's; weft has none.")


class GrpcBackendRef(BackendObjectReference):
    """A backend's share of the calls."""

    weight: Weight | None = unset("Its share, relative to the others; 1 if unset, 0 gets nothing.")
    filters: Many[GrpcRouteFilter] = items("Steps for the calls of this backend only.", max_length=16)


class GrpcRouteRule(Wire):
    """What it matches, and what then happens."""

    name: Name | None = unset("Name of the rule, unique in the route.")
    matches: Many[GrpcRouteMatch] = items("Matches, of which one must hold; every call if unset.", max_length=64)
    filters: Many[GrpcRouteFilter] = items("Steps on the way.", max_length=16)
    backend_refs: Many[GrpcBackendRef] = items("Backends and their shares.", max_length=16)
    session_persistence: SessionPersistence | None = unset("Whether sessions stay at one endpoint.")


class GrpcRoute(CommonRouteSpec):
    """Rules for gRPC calls."""

    hostnames: Many[Hostname] = items("Hosts that are asked for; those of the listeners if unset.", max_length=16)
    rules: Many[GrpcRouteRule] = items("The rules; one that matches everything if unset.", max_length=16)
