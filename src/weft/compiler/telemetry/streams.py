"""Logs that proxies stream to the control plane: a small buffer, and so many entries a second of the whole proxy.

What does not fit is dropped and counted by the proxy; no call waits for its entry.
"""

from google.protobuf.message import Message

from weft._pb.envoy.config.accesslog.v3.accesslog_pb2 import AccessLogFilter, ExtensionFilter, LogTypeFilter
from weft._pb.envoy.config.core.v3.config_source_pb2 import ApiVersion
from weft._pb.envoy.config.core.v3.grpc_service_pb2 import GrpcService
from weft._pb.envoy.data.accesslog.v3.accesslog_pb2 import AccessLogType
from weft._pb.envoy.extensions.access_loggers.filters.cel.v3.cel_pb2 import ExpressionFilter
from weft._pb.envoy.extensions.access_loggers.filters.process_ratelimit.v3.process_ratelimit_pb2 import (
    DynamicTokenBucket,
    ProcessRateLimitFilter,
)
from weft._pb.envoy.extensions.access_loggers.grpc.v3.als_pb2 import CommonGrpcAccessLogConfig
from weft._pb.envoy.type.v3.token_bucket_pb2 import TokenBucket
from weft.compiler.resource import TOKENS, Resource, resource
from weft.compiler.wire import ads, milliseconds, number, packed, serialized

CONTROL_PLANE = "xds"
"""The cluster that every bootstrap has."""
_BUFFER, _FLUSH = 65_536, 500
_LONGEST_FETCH = 1_000


def streamed(log: str) -> CommonGrpcAccessLogConfig:
    """A log of this name to the control plane."""
    return CommonGrpcAccessLogConfig(
        log_name=log,
        grpc_service=GrpcService(envoy_grpc=GrpcService.EnvoyGrpc(cluster_name=CONTROL_PLANE)),
        transport_api_version=ApiVersion.V3,
        buffer_flush_interval=milliseconds(_FLUSH),
        buffer_size_bytes=number(_BUFFER),
    )


def tokens(name: str, per_second: int, burst: int) -> Resource:
    """A bucket: how many entries a proxy may tell."""
    bucket = TokenBucket(max_tokens=burst, tokens_per_fill=number(per_second), fill_interval=milliseconds(1000))
    return resource(TOKENS, name, serialized(bucket))


def capped(name: str) -> AccessLogFilter:
    """Lets entries through as long as the bucket of this name has tokens."""
    source = ads()
    source.initial_fetch_timeout.CopyFrom(milliseconds(_LONGEST_FETCH))
    limit = ProcessRateLimitFilter(dynamic_config=DynamicTokenBucket(resource_name=name, config_source=source))
    return extension("envoy.access_loggers.extension_filters.process_ratelimit", limit)


def said(expression: str) -> AccessLogFilter:
    """Lets entries through of which an expression in CEL is true."""
    return extension("envoy.access_loggers.extension_filters.cel", ExpressionFilter(expression=expression))


def of_types(*types: AccessLogType) -> AccessLogFilter:
    """Lets entries of some types through."""
    return AccessLogFilter(log_type_filter=LogTypeFilter(types=types))


def extension(name: str, config: Message) -> AccessLogFilter:
    """A filter that is one of Envoy's extensions."""
    return AccessLogFilter(extension_filter=ExtensionFilter(name=name, typed_config=packed(config)))
