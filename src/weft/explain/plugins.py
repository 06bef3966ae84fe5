"""What stands in the way of a call beside the mesh's own filters: plugins of documents, and patches' filters."""

from collections.abc import Iterator

from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.config.route.v3.route_components_pb2 import Route, VirtualHost
from weft.explain.call import Step
from weft.explain.configuration import http_manager
from weft.model.tap import IN, OUT


def plugin_step(listener: Listener, host: VirtualHost, route: Route) -> Iterator[Step]:
    """The filters whose configuration comes on its own, in the order of requests, if there are any."""
    manager = http_manager(listener)
    if manager is None:
        return
    switched = {*host.typed_per_filter_config, *route.typed_per_filter_config}
    discovered = [one for one in manager.http_filters if one.HasField("config_discovery") and one.name not in (IN, OUT)]
    names = [one.name for one in discovered if not one.disabled or one.name in switched]
    if names:
        yield Step(name="plugins", what=", ".join(names), details=("requests pass them in this order",))
