"""Looks up the host that a request names, for destinations without endpoints of their own."""

from google.protobuf.message import Message

from weft._pb.envoy.config.route.v3.route_components_pb2 import FilterConfig
from weft._pb.envoy.extensions.filters.http.dynamic_forward_proxy.v3.dynamic_forward_proxy_pb2 import (
    FilterConfig as DynamicForwardProxy,
)
from weft._pb.envoy.extensions.filters.http.dynamic_forward_proxy.v3.dynamic_forward_proxy_pb2 import PerRouteConfig
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from weft.compiler.dns import dns_cache
from weft.compiler.http_filters.filter import Place
from weft.compiler.wire import packed
from weft.view.view import Route

NAME = "envoy.filters.http.dynamic_forward_proxy"


def http_filter(place: Place) -> HttpFilter | None:
    """Only on the way out, and off until a route enables it."""
    if place is Place.INBOUND:
        return None
    return HttpFilter(name=NAME, disabled=True, typed_config=packed(DynamicForwardProxy(dns_cache_config=dns_cache())))


def on_route(route: Route) -> Message | None:
    """Enables the filter for destinations that are found by the request's authority."""
    return enabled() if route.by_authority else None


def enabled() -> Message:
    """What enables the filter on a route."""
    return FilterConfig(config=packed(PerRouteConfig()))
