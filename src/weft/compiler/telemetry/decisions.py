"""What access policies decided against, told to the control plane: refusals, audits, and what dry runs would refuse.

Everything else is left out by a filter that looks at what the RBAC filters noted, and more than so many a second too:
the proxy drops and counts them, and no call waits for its entry. It stands in every listener of peers whether there are
policies or not, since those come with the routes and must not change a listener.
"""

from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import BoolValue

from weft._pb.envoy.config.accesslog.v3.accesslog_pb2 import (
    AccessLog,
    AccessLogFilter,
    AndFilter,
    ExtensionFilter,
    LogTypeFilter,
    MetadataFilter,
    OrFilter,
    ResponseFlagFilter,
)
from weft._pb.envoy.config.core.v3.config_source_pb2 import ApiVersion
from weft._pb.envoy.config.core.v3.grpc_service_pb2 import GrpcService
from weft._pb.envoy.data.accesslog.v3.accesslog_pb2 import AccessLogType
from weft._pb.envoy.extensions.access_loggers.filters.cel.v3.cel_pb2 import ExpressionFilter
from weft._pb.envoy.extensions.access_loggers.filters.process_ratelimit.v3.process_ratelimit_pb2 import (
    DynamicTokenBucket,
    ProcessRateLimitFilter,
)
from weft._pb.envoy.extensions.access_loggers.grpc.v3.als_pb2 import (
    CommonGrpcAccessLogConfig,
    HttpGrpcAccessLogConfig,
    TcpGrpcAccessLogConfig,
)
from weft._pb.envoy.type.matcher.v3.metadata_pb2 import MetadataMatcher
from weft._pb.envoy.type.matcher.v3.string_pb2 import StringMatcher
from weft._pb.envoy.type.matcher.v3.value_pb2 import ValueMatcher
from weft._pb.envoy.type.v3.token_bucket_pb2 import TokenBucket
from weft.compiler.resource import TOKENS, Resource, resource
from weft.compiler.wire import ads, milliseconds, number, packed, serialized
from weft.kit.memo import memo

DECISIONS = "weft.decisions"
"""The name of the log, and of the bucket that its entries are taken from."""
AUDITED = "weft_audit_"
"""What the notes of the filter begin with that only audits."""
CONTROL_PLANE = "xds"
"""The cluster that every bootstrap has."""

_HTTP, _TCP, _COMMON = "envoy.filters.http.rbac", "envoy.filters.network.rbac", "envoy.common"
_REFUSED = "connection.termination_details.startsWith('rbac_access_denied')"
_DRY_RUNS = ("istio_dry_run_deny_shadow_engine_result", "istio_dry_run_allow_shadow_engine_result")
_PER_SECOND, _BURST = 50, 200
_BUFFER, _FLUSH = 65_536, 500
_LONGEST_FETCH = 1_000


@memo(1)
def bucket() -> Resource:
    """How many decisions a proxy tells of in a second."""
    tokens = TokenBucket(max_tokens=_BURST, tokens_per_fill=number(_PER_SECOND), fill_interval=milliseconds(1000))
    return resource(TOKENS, DECISIONS, serialized(tokens))


@memo(1)
def decisions_of_requests() -> AccessLog:
    """The log of a listener of requests. What a provider or the check of a token refused has Envoy's flag for it."""
    flagged = AccessLogFilter(response_flag_filter=ResponseFlagFilter(flags=["UAEX"]))
    log = HttpGrpcAccessLogConfig(common_config=_common())
    return _log("envoy.access_loggers.http_grpc", log, [*_noted(_HTTP), flagged])


@memo(1)
def decisions_of_connections() -> AccessLog:
    """The log of a listener of bytes. Its filter notes only what was tried; a refusal is said where connections end."""
    log = TcpGrpcAccessLogConfig(common_config=_common())
    refused = _extension("envoy.access_loggers.extension_filters.cel", ExpressionFilter(expression=_REFUSED))
    ended = AccessLogFilter(log_type_filter=LogTypeFilter(types=[AccessLogType.TcpConnectionEnd]))
    return _log("envoy.access_loggers.tcp_grpc", log, [*_noted(_TCP), refused], ended)


def _log(name: str, config: Message, wanted: list[AccessLogFilter], *also: AccessLogFilter) -> AccessLog:
    either = AccessLogFilter(or_filter=OrFilter(filters=wanted))
    every = AccessLogFilter(and_filter=AndFilter(filters=[*also, either, _capped()]))
    return AccessLog(name=name, filter=every, typed_config=packed(config))


def _common() -> CommonGrpcAccessLogConfig:
    """Entries wait in a small buffer; when the control plane does not take them, they are dropped and counted."""
    return CommonGrpcAccessLogConfig(
        log_name=DECISIONS,
        grpc_service=GrpcService(envoy_grpc=GrpcService.EnvoyGrpc(cluster_name=CONTROL_PLANE)),
        transport_api_version=ApiVersion.V3,
        buffer_flush_interval=milliseconds(_FLUSH),
        buffer_size_bytes=number(_BUFFER),
    )


def _noted(filter_name: str) -> list[AccessLogFilter]:
    refused = [_notes(filter_name, result, "denied") for result in ("enforced_engine_result", *_DRY_RUNS)]
    return [*refused, _notes(_COMMON, "access_log_hint", True)]


def _notes(namespace: str, key: str, value: str | bool) -> AccessLogFilter:
    if isinstance(value, bool):
        wanted = ValueMatcher(bool_match=value)
    else:
        wanted = ValueMatcher(string_match=StringMatcher(exact=value))
    matcher = MetadataMatcher(filter=namespace, path=[MetadataMatcher.PathSegment(key=key)], value=wanted)
    return AccessLogFilter(
        metadata_filter=MetadataFilter(matcher=matcher, match_if_key_not_found=BoolValue(value=False))
    )


def _capped() -> AccessLogFilter:
    source = ads()
    source.initial_fetch_timeout.CopyFrom(milliseconds(_LONGEST_FETCH))
    limit = ProcessRateLimitFilter(dynamic_config=DynamicTokenBucket(resource_name=DECISIONS, config_source=source))
    return _extension("envoy.access_loggers.extension_filters.process_ratelimit", limit)


def _extension(name: str, config: Message) -> AccessLogFilter:
    return AccessLogFilter(extension_filter=ExtensionFilter(name=name, typed_config=packed(config)))
