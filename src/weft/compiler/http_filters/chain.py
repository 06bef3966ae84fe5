"""The order of HTTP filters, and what chains and routes are made of from it."""

from google.protobuf.any_pb2 import Any

from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from weft.compiler.http_filters import cors, dynamic_forward_proxy, fault, router
from weft.compiler.http_filters.filter import Filter, Place
from weft.compiler.wire import packed
from weft.view.view import Route

FILTERS: tuple[Filter, ...] = (cors, fault, dynamic_forward_proxy, router)
"""First to last. A new filter is a module and a word here."""


def filters_of(place: Place) -> list[HttpFilter]:
    """The chain of a place."""
    return [found for one in FILTERS if (found := one.http_filter(place)) is not None]


def per_filter(route: Route) -> dict[str, Any]:
    """What a route says to the filters."""
    return {one.NAME: packed(said) for one in FILTERS if (said := one.on_route(route)) is not None}
