"""Some of the calls that reach a workload, told to the control plane: what `weft authz simulate` judges again.

A few a second of each proxy, so that it costs nothing to speak of and small meshes are recorded whole. Headers are not
in it, but for the host and the path.
"""

from weft._pb.envoy.config.accesslog.v3.accesslog_pb2 import AccessLog, AccessLogFilter, AndFilter
from weft._pb.envoy.data.accesslog.v3.accesslog_pb2 import AccessLogType
from weft._pb.envoy.extensions.access_loggers.grpc.v3.als_pb2 import (
    CommonGrpcAccessLogConfig,
    HttpGrpcAccessLogConfig,
    TcpGrpcAccessLogConfig,
)
from weft._pb.envoy.type.tracing.v3.custom_tag_pb2 import CustomTag
from weft.compiler.resource import Resource
from weft.compiler.telemetry.streams import capped, of_types, streamed, tokens
from weft.compiler.wire import packed
from weft.kit.memo import memo

CALLS = "weft.calls"
"""The name of the log, and of the bucket that its entries are taken from."""
PORT = "port"
_PER_SECOND, _BURST = 10, 100


@memo(1)
def calls_told() -> Resource:
    """How many calls a proxy tells of in a second."""
    return tokens(CALLS, _PER_SECOND, _BURST)


@memo(1024)
def some_requests(port: int) -> AccessLog:
    """The log of a listener of requests. Its entries are tagged with the application's port: of a call that was
    refused Envoy tells neither cluster nor route."""
    config = HttpGrpcAccessLogConfig(common_config=_tagged(port))
    return AccessLog(name="envoy.access_loggers.http_grpc", filter=capped(CALLS), typed_config=packed(config))


@memo(1024)
def some_connections(port: int) -> AccessLog:
    """The log of a listener of bytes: of connections that ended, each once, whether they were let in or not."""
    config = TcpGrpcAccessLogConfig(common_config=_tagged(port))
    ended = AndFilter(filters=[of_types(AccessLogType.TcpConnectionEnd), capped(CALLS)])
    return AccessLog(
        name="envoy.access_loggers.tcp_grpc",
        filter=AccessLogFilter(and_filter=ended),
        typed_config=packed(config),
    )


def _tagged(port: int) -> CommonGrpcAccessLogConfig:
    common = streamed(CALLS)
    common.custom_tags.add(tag=PORT, literal=CustomTag.Literal(value=str(port)))
    return common
