"""Some of the calls that reach a workload or a gateway, told to the control plane: what `weft authz simulate` judges
again.

A few a second of each proxy, so that it costs nothing to speak of and small meshes are recorded whole. Headers are not
in it, but for the method, the host and the path; these as the caller wrote them, whatever a route made of them.
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
PORT, METHOD, HOST, PATH, SERVER_NAME = "port", "method", "host", "path", "sni"
"""The names of tags."""
ASKED_HOST, ASKED_PATH = "weft.asked.host", "weft.asked.path"
"""Where a gateway keeps what was asked for, if its routes make something else of it."""
_ASKED = (
    (METHOD, "%REQ(:METHOD)%"),
    (HOST, f"%FILTER_STATE({ASKED_HOST}:PLAIN)%"),
    (PATH, f"%FILTER_STATE({ASKED_PATH}:PLAIN)%"),
)
"""Envoy tells of no other methods than HTTP's own otherwise, and of hosts and paths what routes made of them."""
_PER_SECOND, _BURST = 10, 100


@memo(1)
def calls_told() -> Resource:
    """How many calls a proxy tells of in a second."""
    return tokens(CALLS, _PER_SECOND, _BURST)


@memo(1024)
def some_requests(port: int) -> AccessLog:
    """The log of a listener of requests. Its entries are tagged with the application's port: of a call that was
    refused Envoy tells neither cluster nor route."""
    config = HttpGrpcAccessLogConfig(common_config=_tagged(port, *_ASKED))
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


def _tagged(port: int, *asked: tuple[str, str]) -> CommonGrpcAccessLogConfig:
    """The name that a client of TLS asks for is a tag, for Envoy tells it only of TLS that it ends."""
    common = streamed(CALLS)
    common.custom_tags.add(tag=PORT, literal=CustomTag.Literal(value=str(port)))
    for name, value in (*asked, (SERVER_NAME, "%REQUESTED_SERVER_NAME%")):
        common.custom_tags.add(tag=name, value=value)
    return common
