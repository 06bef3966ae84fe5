"""Spans from OTLP (``opentelemetry.proto.collector.trace.v1``), as protobuf and as JSON.

What strangers' libraries send is cut to size, never refused for being large: a span without its longest attribute is
more use than none. Spans without valid ids are dropped and counted, as the specification asks.
"""

import binascii
import zlib
from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from google.protobuf import json_format
from google.protobuf.message import DecodeError

from weft._pb.opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from weft._pb.opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from weft._pb.opentelemetry.proto.trace.v1 import trace_pb2
from weft.kit.errors import PeerError
from weft.observe.traces.span import KINDS, Attributes, Event, Span

LARGEST = 4 * 1024 * 1024
"""Bytes of one export."""
_GZIP = b"\x1f\x8b"
_MOST_ATTRIBUTES, _MOST_EVENTS = 64, 32
_LONGEST_VALUE, _LONGEST_NAME = 1024, 256
_AT_ONCE = 96
"""Spans that are read before others have their turn."""
_NO_ID, _NO_SPAN = bytes(16), bytes(8)
_UNKNOWN = "unknown_service"


class NotOtlp(PeerError):
    """A body that is no export request."""


def unzipped(content: bytes) -> bytes:
    """What was zipped. Raises ``NotOtlp``."""
    unpacking = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacking.decompress(content, LARGEST)
    except zlib.error as wrong:
        raise NotOtlp(f"the body is no gzip: {wrong}") from None
    if unpacking.unconsumed_tail:
        raise NotOtlp(f"the body is larger than {LARGEST} bytes")
    return unpacked


def is_zipped(content: bytes) -> bool:
    """Whether this is gzip, which no export begins like: sidecars pass on what applications post, zipped or not."""
    return content.startswith(_GZIP)


def request_of(content: bytes, *, json: bool = False) -> ExportTraceServiceRequest:
    """The request of a body. Raises ``NotOtlp``."""
    try:
        if json:
            return json_format.ParseDict(_with_base64(content), ExportTraceServiceRequest(), ignore_unknown_fields=True)
        return ExportTraceServiceRequest.FromString(content)
    except (DecodeError, json_format.ParseError, msgspec.DecodeError, ValueError, RecursionError) as wrong:
        raise NotOtlp(f"this is no OTLP export of traces: {wrong}") from None


class Found(NamedTuple):
    """Some spans of a request, and how many beside them had no valid ids."""

    spans: list[Span]
    invalid: int


def spans_of(request: ExportTraceServiceRequest, reporter: str) -> Found:
    """All spans of a request."""
    found = list(parts_of(request, reporter))
    return Found([span for part in found for span in part.spans], sum(part.invalid for part in found))


def parts_of(request: ExportTraceServiceRequest, reporter: str) -> Iterator[Found]:
    """The spans of a request, some at a time."""
    for resource in request.resource_spans:
        facts = dict(_attributes(resource.resource.attributes))
        service = (facts.get("service.name") or _UNKNOWN)[:_LONGEST_NAME]
        for scope in resource.scope_spans:
            for begun in range(0, len(scope.spans), _AT_ONCE):
                some = scope.spans[begun : begun + _AT_ONCE]
                spans = [_span(one, service, reporter) for one in some if _valid(one)]
                yield Found(spans, len(some) - len(spans))


def _valid(one: trace_pb2.Span) -> bool:
    return len(one.trace_id) == 16 and len(one.span_id) == 8 and one.trace_id != _NO_ID and one.span_id != _NO_SPAN


def _span(one: trace_pb2.Span, service: str, reporter: str) -> Span:
    start = one.start_time_unix_nano
    return Span(
        trace=one.trace_id.hex(),
        id=one.span_id.hex(),
        parent=one.parent_span_id.hex(),
        service=service,
        name=one.name[:_LONGEST_NAME],
        kind=one.kind if one.kind < len(KINDS) else 0,
        start=min(start // 1000, 2**62),
        duration=min(max(0, one.end_time_unix_nano - start) // 1000, 2**62),
        error=one.status.code == 2,
        message=one.status.message[:_LONGEST_VALUE],
        attributes=_attributes(one.attributes),
        events=tuple(
            Event(min(event.time_unix_nano // 1000, 2**62), event.name[:_LONGEST_NAME], _attributes(event.attributes))
            for event in one.events[:_MOST_EVENTS]
        )
        if one.events
        else (),
        reporter=reporter,
    )


def _attributes(pairs: Sequence[KeyValue]) -> Attributes:
    # Most values are texts: asking for the text first is three times as fast as asking what there is.
    kept = pairs[:_MOST_ATTRIBUTES] if len(pairs) > _MOST_ATTRIBUTES else pairs
    return tuple(
        [(pair.key[:_LONGEST_NAME], pair.value.string_value[:_LONGEST_VALUE] or _text(pair.value)) for pair in kept]
    )


def _text(value: AnyValue) -> str:
    match value.WhichOneof("value"):
        case "bool_value":
            return "true" if value.bool_value else "false"
        case "int_value":
            return str(value.int_value)
        case "double_value":
            return repr(value.double_value)
        case "bytes_value":
            return value.bytes_value[:_LONGEST_VALUE].hex()
        case None | "string_value":
            return ""
        case _:
            return json_format.MessageToJson(value, indent=None)[:_LONGEST_VALUE]


def _with_base64(content: bytes) -> Any:
    """OTLP's JSON writes ids in hexadecimal where protobuf's JSON has base64."""
    body = msgspec.json.decode(content)
    if not isinstance(body, dict):
        raise NotOtlp("this is no OTLP export of traces: it is no object")
    for resource in _list(body, "resourceSpans"):
        for scope in _list(resource, "scopeSpans"):
            for span in _list(scope, "spans"):
                for one in (span, *_list(span, "links")):
                    for name in ("traceId", "spanId", "parentSpanId"):
                        if isinstance(one, dict) and isinstance(one.get(name), str):
                            one[name] = b64encode(binascii.unhexlify(one[name])).decode()
    return body


def _list(of: Any, name: str) -> list[Any]:
    found = of.get(name) if isinstance(of, dict) else None
    return found if isinstance(found, list) else []
