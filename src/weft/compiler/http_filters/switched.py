"""Plugins that stand in chains switched off, and the routes that switch them on."""

from google.protobuf.any_pb2 import Any

from weft._pb.envoy.config.route.v3.route_components_pb2 import FilterConfig
from weft.compiler.wire import packed
from weft.kit.memo import memo
from weft.view.view import Route


@memo(1)
def switch() -> Any:
    """What switches a filter on."""
    return packed(FilterConfig(config=Any()))


def on_route(route: Route) -> dict[str, Any]:
    """The plugins of a route."""
    return {name: switch() for name in route.plugins}
