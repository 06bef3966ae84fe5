"""gRPC of browsers: translated for servers that speak gRPC (Istio: ports of the protocol ``GRPC-Web``)."""

from weft._pb.envoy.extensions.filters.http.grpc_web.v3.grpc_web_pb2 import GrpcWeb
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from weft.compiler.http_filters.extras import Extras
from weft.compiler.wire import packed

NAME = "envoy.filters.http.grpc_web"


def http_filters(extras: Extras) -> list[HttpFilter]:
    """The filter, where the port is one of gRPC-Web; other requests pass it as they are."""
    return [HttpFilter(name=NAME, typed_config=packed(GrpcWeb()))] if extras.grpc_web else []
