"""Who calls, for services whose clients stay at one endpoint: in a sidecar its own workload, from which all of its
calls come. At a gateway that is the client's address, of which Envoy knows without a filter.
"""

from weft._pb.envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from weft._pb.envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from weft._pb.envoy.config.listener.v3.listener_components_pb2 import Filter
from weft._pb.envoy.extensions.filters.common.set_filter_state.v3.value_pb2 import FilterStateValue
from weft._pb.envoy.extensions.filters.http.set_filter_state.v3.set_filter_state_pb2 import Config as HttpConfig
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from weft._pb.envoy.extensions.filters.network.set_filter_state.v3.set_filter_state_pb2 import Config
from weft._pb.envoy.extensions.formatter.cel.v3.cel_pb2 import Cel
from weft.compiler.http_filters.extras import Extras
from weft.compiler.http_filters.filter import Place
from weft.compiler.wire import packed
from weft.kit.memo import memo

CLIENT = "weft.client"
"""The key under which a connection or a request says whose it is."""


def http_filters(place: Place, extras: Extras) -> list[HttpFilter]:
    """The filter, where a route asks for it on the way out of a sidecar."""
    if not extras.clients or place not in (Place.HTTP_PROXY, Place.UPSTREAM_PORT):
        return []
    return [HttpFilter(name="weft.client", typed_config=packed(HttpConfig(on_request_headers=[_told()])))]


@memo(1)
def of_connections() -> Filter:
    """The same for connections of bytes."""
    config = Config(on_new_connection=[_told()])
    return Filter(name="envoy.filters.network.set_filter_state", typed_config=packed(config))


@memo(1)
def _told() -> FilterStateValue:
    name = SubstitutionFormatString()
    name.text_format_source.inline_string = "%CEL(xds.node.id)%"
    name.formatters.append(TypedExtensionConfig(name="envoy.formatter.cel", typed_config=packed(Cel())))
    return FilterStateValue(object_key=CLIENT, factory_key="envoy.hashable_string", format_string=name)
