"""Where the numbers of a gRPC call's messages lie in its metadata, and who is to read them."""

from google.protobuf.wrappers_pb2 import BoolValue

from weft._pb.envoy.config.accesslog.v3.accesslog_pb2 import AccessLogFilter, MetadataFilter
from weft._pb.envoy.type.matcher.v3.metadata_pb2 import MetadataMatcher
from weft._pb.envoy.type.matcher.v3.value_pb2 import ValueMatcher

NAMESPACE = "weft.telemetry.messages"
SENT, ANSWERED = "sent", "answered"


def format_of(key: str) -> str:
    """The substitution that is a number."""
    return f"%DYNAMIC_METADATA({NAMESPACE}:{key})%"


def where_counted() -> AccessLogFilter:
    """Calls whose messages were counted."""
    there = MetadataMatcher(
        filter=NAMESPACE, path=[MetadataMatcher.PathSegment(key=SENT)], value=ValueMatcher(present_match=True)
    )
    return AccessLogFilter(metadata_filter=MetadataFilter(matcher=there, match_if_key_not_found=BoolValue(value=False)))
