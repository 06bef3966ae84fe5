"""What proxies tell: whatever a stream brings, it is read, passed over, or ended with a reason of our own."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.observe.telling import Heard
from weft._pb.envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from weft._pb.envoy.service.metrics.v3.metrics_service_pb2 import StreamMetricsMessage
from weft._pb.opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from weft.kit.clock import FakeClock
from weft.kit.errors import PeerError
from weft.model.identity import Identity
from weft.observe.access_logs import access_log_sink
from weft.observe.calls import LOG as CALLS
from weft.observe.calls import Calls
from weft.observe.decisions import LOG as DECISIONS
from weft.observe.decisions import Decisions
from weft.observe.metrics import Metrics
from weft.observe.traces.otlp import request_of, spans_of

FUZZ = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
WEB = Identity(trust_domain="a", namespace="shop", account="web")
Read = Callable[[bytes], Any]


def _metrics(name: str, labels: list[tuple[str, str]], histogram: bool) -> bytes:
    message = StreamMetricsMessage()
    message.identifier.node.id = "web-1.shop"
    family = message.envoy_metrics.add(name=name)
    metric = family.metric.add()
    for key, value in labels:
        metric.label.add(name=key, value=value)
    if histogram:
        metric.histogram.sample_count, metric.histogram.sample_sum = 2, 3.5
        metric.histogram.bucket.add(upper_bound=1.0, cumulative_count=1)
        metric.histogram.bucket.add(upper_bound=5.0, cumulative_count=2)
    else:
        metric.counter.value = 7
    return message.SerializeToString()


def _entries(log: str, path: str, tags: dict[str, str]) -> bytes:
    message = StreamAccessLogsMessage()
    message.identifier.node.id, message.identifier.log_name = "web-1.shop", log
    entry = message.http_logs.log_entry.add()
    entry.request.authority, entry.request.path = "reviews:9080", path
    for key, value in tags.items():
        entry.common_properties.custom_tags[key] = value
    entry.common_properties.metadata.filter_metadata["weft"].fields["rule"].string_value = path
    message.tcp_logs.log_entry.add().common_properties.upstream_cluster = path
    return message.SerializeToString()


def _spans(name: str, trace: bytes) -> bytes:
    message: Message = ExportTraceServiceRequest()
    span = message.resource_spans.add().scope_spans.add().spans.add(name=name, trace_id=trace, span_id=trace[:8])  # type: ignore[attr-defined]
    span.attributes.add(key=name).value.string_value = name
    return message.SerializeToString()


def _read_metrics(content: bytes) -> None:
    for _ in Metrics(Heard()).sink().opened(WEB)(content) or ():
        pass


def _read_log(content: bytes) -> None:
    clock = FakeClock()
    readers = {CALLS: Calls(clock).read, DECISIONS: Decisions(clock, lambda _: None).read}
    access_log_sink(readers).opened(WEB)(content)


def _read_spans(content: bytes) -> None:
    found, _ = spans_of(request_of(content, json=False), WEB.uri)
    list(found)


TEXTS = st.sampled_from(
    ["", "mesh.source.http.requests", "mesh.source.http.duration", "service", "code", "a", "\x00", ";" * 9]
)
LABELS = st.lists(st.tuples(TEXTS, TEXTS | st.text(max_size=12)), max_size=6)
GOOD: dict[str, st.SearchStrategy[bytes]] = {
    "metrics": st.builds(_metrics, TEXTS, LABELS, st.booleans()),
    "logs": st.builds(
        _entries, st.sampled_from([CALLS, DECISIONS, "other"]), st.text(max_size=20), st.dictionaries(TEXTS, TEXTS)
    ),
    "spans": st.builds(_spans, st.text(max_size=20), st.binary(max_size=20)),
}
READERS: dict[str, Read] = {"metrics": _read_metrics, "logs": _read_log, "spans": _read_spans}


@st.composite
def damaged(draw: st.DrawFn, good: st.SearchStrategy[bytes]) -> bytes:
    """A message of which some bytes were changed, added or lost; or none at all."""
    content = bytearray(draw(good))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(content)))
        match draw(st.sampled_from(["change", "cut", "add"])):
            case "change" if place < len(content):
                content[place] = draw(st.integers(0, 255))
            case "cut":
                del content[place : place + draw(st.integers(1, 8))]
            case _:
                content[place:place] = draw(st.binary(max_size=8))
    return bytes(content)


@pytest.mark.parametrize("kind", READERS)
def test_no_message_of_a_proxy_is_more_than_read_or_refused(kind: str) -> None:
    @FUZZ
    @given(damaged(GOOD[kind]) | st.binary(max_size=200))
    @example(b"")
    @example(b"\xff" * 64)
    @example(b"\x0a\xff\xff\xff\xff\x0f")
    def told(content: bytes) -> None:
        with contextlib.suppress(PeerError):
            READERS[kind](content)

    told()
