"""The order of HTTP filters, and what chains and routes are made of from it."""

from google.protobuf.any_pb2 import Any

from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from weft.compiler.http_filters import (
    asked,
    breakers,
    checks,
    clients,
    cors,
    dynamic_forward_proxy,
    fault,
    grpc_web,
    limits,
    messages,
    router,
    sessions,
    switched,
)
from weft.compiler.http_filters.access import guard_filters
from weft.compiler.http_filters.extras import NO_EXTRAS, Extras
from weft.compiler.http_filters.filter import Filter, Place
from weft.compiler.telemetry import route_spans
from weft.compiler.wire import packed
from weft.view.view import Route

FILTERS: tuple[Filter, ...] = (cors, fault, dynamic_forward_proxy, sessions, router)
"""First to last. A new filter is a module and a word here."""


def filters_of(place: Place, extras: Extras = NO_EXTRAS) -> list[HttpFilter]:
    """The chain of a place: what every chain there has, and what its routes need, before the faults.

    Guards stand after CORS, whose preflight requests have no credentials.
    """
    found: list[HttpFilter] = [*asked.http_filters(place, wanted=extras.rewrites), *clients.http_filters(place, extras)]
    for one in FILTERS:
        if one is fault:
            found += [*checks.http_filters(extras), *limits.http_filters(extras), *breakers.http_filters(extras)]
        found += messages.http_filters(extras) if one is router else []
        made = one.http_filter(place)
        found += [made] if made is not None else []
        if one is cors and extras.door is not None:
            found += guard_filters(extras.door)
        found += grpc_web.http_filters(extras) if one is cors else []
    return found


def per_filter(route: Route) -> dict[str, Any]:
    """What a route says to the filters."""
    found = {one.NAME: packed(said) for one in FILTERS if (said := one.on_route(route)) is not None}
    for one in (checks, limits, breakers, switched, messages, route_spans):
        found |= one.on_route(route)
    return found
