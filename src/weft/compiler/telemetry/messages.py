"""The filter that counts the messages of gRPC calls, for the metrics of them; other calls pass it by."""

from weft._pb.envoy.extensions.filters.http.grpc_stats.v3.config_pb2 import FilterConfig
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from weft.compiler.wire import packed
from weft.kit.memo import memo


@memo(1)
def counting_messages() -> HttpFilter:
    """It leaves what it counted with the call (``emit_filter_state``)."""
    return HttpFilter(name="envoy.filters.http.grpc_stats", typed_config=packed(FilterConfig(emit_filter_state=True)))
