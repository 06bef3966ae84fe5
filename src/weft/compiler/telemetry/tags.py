"""Tags of spans as Envoy's custom tags."""

from weft._pb.envoy.type.tracing.v3.custom_tag_pb2 import CustomTag
from weft.model.telemetry import SpanTag, TagKind


def tag_of(tag: SpanTag) -> CustomTag:
    """A tag whose value is found at each call."""
    match tag.kind:
        case TagKind.LITERAL:
            return CustomTag(tag=tag.name, literal=CustomTag.Literal(value=tag.text))
        case TagKind.ENVIRONMENT:
            return CustomTag(tag=tag.name, environment=CustomTag.Environment(name=tag.text, default_value=tag.default))
        case TagKind.HEADER:
            return CustomTag(tag=tag.name, request_header=CustomTag.Header(name=tag.text, default_value=tag.default))
        case TagKind.FORMATTER:
            return CustomTag(tag=tag.name, value=tag.text)
