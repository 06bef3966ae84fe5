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
    MetadataFilter,
    OrFilter,
    ResponseFlagFilter,
)
from weft._pb.envoy.data.accesslog.v3.accesslog_pb2 import AccessLogType
from weft._pb.envoy.extensions.access_loggers.grpc.v3.als_pb2 import (
    HttpGrpcAccessLogConfig,
    TcpGrpcAccessLogConfig,
)
from weft._pb.envoy.type.matcher.v3.metadata_pb2 import MetadataMatcher
from weft._pb.envoy.type.matcher.v3.string_pb2 import StringMatcher
from weft._pb.envoy.type.matcher.v3.value_pb2 import ValueMatcher
from weft.compiler.resource import Resource
from weft.compiler.telemetry.streams import capped, of_types, said, streamed, tokens
from weft.compiler.wire import packed
from weft.kit.memo import memo

DECISIONS = "weft.decisions"
"""The name of the log, and of the bucket that its entries are taken from."""
AUDITED = "weft_audit_"
"""What the notes of the filter begin with that only audits."""

_HTTP, _TCP, _COMMON = "envoy.filters.http.rbac", "envoy.filters.network.rbac", "envoy.common"
_REFUSED = "connection.termination_details.startsWith('rbac_access_denied')"
_DRY_RUNS = ("istio_dry_run_deny_shadow_engine_result", "istio_dry_run_allow_shadow_engine_result")
_PER_SECOND, _BURST = 50, 200


@memo(1)
def bucket() -> Resource:
    """How many decisions a proxy tells of in a second."""
    return tokens(DECISIONS, _PER_SECOND, _BURST)


@memo(1)
def decisions_of_requests() -> AccessLog:
    """The log of a listener of requests. What a provider or the check of a token refused has Envoy's flag for it."""
    flagged = AccessLogFilter(response_flag_filter=ResponseFlagFilter(flags=["UAEX"]))
    log = HttpGrpcAccessLogConfig(common_config=streamed(DECISIONS))
    return _log("envoy.access_loggers.http_grpc", log, [*_noted(_HTTP), flagged])


@memo(1)
def decisions_of_connections() -> AccessLog:
    """The log of a listener of bytes. Its filter notes only what was tried; a refusal is said where connections end."""
    log = TcpGrpcAccessLogConfig(common_config=streamed(DECISIONS))
    ended = of_types(AccessLogType.TcpConnectionEnd)
    return _log("envoy.access_loggers.tcp_grpc", log, [*_noted(_TCP), said(_REFUSED)], ended)


def _log(name: str, config: Message, wanted: list[AccessLogFilter], *also: AccessLogFilter) -> AccessLog:
    either = AccessLogFilter(or_filter=OrFilter(filters=wanted))
    every = AccessLogFilter(and_filter=AndFilter(filters=[*also, either, capped(DECISIONS)]))
    return AccessLog(name=name, filter=every, typed_config=packed(config))


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
