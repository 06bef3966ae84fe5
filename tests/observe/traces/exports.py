"""OTLP requests for tests."""

from dataclasses import dataclass, field

from weft._pb.opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from weft._pb.opentelemetry.proto.trace.v1.trace_pb2 import Span as Wire

BEGIN = 1_700_000_000_000_000
"""Microseconds since the epoch."""


@dataclass
class Made:
    """A span to be exported; times in microseconds after ``BEGIN``."""

    service: str
    id: int
    parent: int = 0
    name: str = "GET /"
    start: int = 0
    duration: int = 1000
    error: bool = False
    trace: int = 1
    tags: dict[str, str] = field(default_factory=dict)


def exported(*spans: Made) -> ExportTraceServiceRequest:
    """A request with a resource for each span."""
    request = ExportTraceServiceRequest()
    for made in spans:
        resource = request.resource_spans.add()
        resource.resource.attributes.add(key="service.name").value.string_value = made.service
        wire = resource.scope_spans.add().spans.add(
            trace_id=made.trace.to_bytes(16, "big"),
            span_id=made.id.to_bytes(8, "big"),
            parent_span_id=made.parent.to_bytes(8, "big") if made.parent else b"",
            name=made.name,
            kind=Wire.SPAN_KIND_SERVER,
            start_time_unix_nano=(BEGIN + made.start) * 1000,
            end_time_unix_nano=(BEGIN + made.start + made.duration) * 1000,
        )
        wire.status.code = 2 if made.error else 0
        for key, value in made.tags.items():
            wire.attributes.add(key=key).value.string_value = value
    return request
