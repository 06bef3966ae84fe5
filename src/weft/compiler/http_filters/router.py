"""The router: always last, always there."""

from google.protobuf.message import Message

from weft._pb.envoy.extensions.filters.http.router.v3.router_pb2 import Router
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from weft.compiler.http_filters.filter import Place
from weft.compiler.wire import packed
from weft.view.view import Route

NAME = "envoy.filters.http.router"


def http_filter(place: Place) -> HttpFilter | None:
    """Without Envoy's own headers, which nobody reads and every request would pay for."""
    del place
    return HttpFilter(name=NAME, typed_config=packed(Router(suppress_envoy_headers=True)))


def on_route(route: Route) -> Message | None:
    """Nothing: a route's action is the router's configuration."""
    del route
    return None
