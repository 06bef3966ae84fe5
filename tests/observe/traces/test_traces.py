"""Spans are taken as OTLP has them, found by what they are, and bounded in number and size."""

import json
import math
import random
from contextlib import suppress
from pathlib import Path

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from tests.observe.traces.exports import BEGIN, Made, exported
from weft._pb.opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from weft.model.identity import Identity
from weft.observe.traces.archive import Wanted
from weft.observe.traces.otlp import NotOtlp, request_of, spans_of
from weft.observe.traces.store import Traces
from weft.observe.traces.study import compared, dependencies, own_times
from weft.observe.traces.tracing import Tracing

_WEB = Identity(trust_domain="cluster.local", namespace="shop", account="web")


def _shop(trace: int, *, slow: bool = False, start: int = 0, error: bool = False) -> tuple[Made, ...]:
    """A request to web, that asks reviews, that asks ratings."""
    ratings = 9_000 if slow else 900
    return (
        Made("web", 1, name="GET /", start=start, duration=ratings + 3_000, trace=trace),
        Made("reviews", 2, 1, "GET /reviews", start + 1_000, ratings + 1_000, trace=trace),
        Made("ratings", 3, 2, "GET /ratings", start + 1_500, ratings, error, trace, {"http.status_code": "200"}),
    )


def _traces(*requests: ExportTraceServiceRequest, path: Path | None = None) -> Traces:
    traces = Traces(path)
    for request in requests:
        traces.take(*spans_of(request, _WEB.uri))
    return traces


def test_spans_that_come_through_the_sink_make_one_trace_with_who_sent_them():
    traces = Traces(None)
    sink = Tracing(traces).sink()
    for made in _shop(7):
        for _ in sink.take(_WEB, exported(made).SerializeToString()) or ():
            pass
    found = traces.trace(f"{7:032x}")
    assert [(span.service, span.name, span.parent) for span in found] == [
        ("web", "GET /", ""),
        ("reviews", "GET /reviews", f"{1:016x}"),
        ("ratings", "GET /ratings", f"{2:016x}"),
    ]
    assert found[2].attributes == (("http.status_code", "200"),)
    assert found[0].start == BEGIN
    assert {span.reporter for span in found} == {_WEB.uri}


def test_traces_are_found_by_service_time_duration_error_and_tag():
    slow, failed, late = _shop(1, slow=True), _shop(2, start=5_000, error=True), _shop(3, start=60_000_000)
    traces = _traces(exported(*slow), exported(*failed), exported(*late))

    def found(wanted: Wanted, *tags: tuple[str, str]) -> list[int]:
        return [int(one.id, 16) for one in traces.search(wanted, tags)]

    assert found(Wanted(service="reviews")) == [3, 2, 1]
    assert found(Wanted(service="nobody")) == []
    assert found(Wanted(service="web", least=5_000)) == [1]
    assert found(Wanted(most=950)) == [3, 2]  # ratings was as fast as that
    assert found(Wanted(roots=True, most=950)) == []
    assert found(Wanted(roots=True, most=5_000)) == [3, 2]
    assert found(Wanted(error=True)) == [2]
    assert found(Wanted(since=BEGIN + 1_000_000)) == [3]
    assert found(Wanted(name="GET /ratings", until=BEGIN + 1_000_000)) == [2, 1]
    assert found(Wanted(), ("http.status_code", "200")) == [3, 2, 1]
    assert found(Wanted(), ("http.status_code", "500")) == []
    summary = traces.search(Wanted(error=True))[0]
    assert (summary.service, summary.name, summary.spans, summary.errors) == ("web", "GET /", 3, 1)
    assert summary.services == ("ratings", "reviews", "web")
    assert summary.duration == 3_900
    assert traces.services() == ["ratings", "reviews", "web"]


def test_who_calls_whom_is_counted():
    traces = _traces(exported(*_shop(1)), exported(*_shop(2, error=True)))
    found = dependencies(traces.several(Wanted(), 100))
    assert [tuple(one) for one in found] == [("reviews", "ratings", 2, 1), ("web", "reviews", 2, 0)]


def test_what_is_unlike_its_peers_is_named():
    requests = [exported(*_shop(number)) for number in range(2, 42)]
    traces = _traces(exported(*_shop(1, slow=True)), *requests)
    peers = [spans for spans in traces.several(Wanted(), 100) if spans[0].trace != f"{1:032x}"]
    beside = {one.span.service: one for one in compared(traces.trace(f"{1:032x}"), peers)}
    assert {service: (one.peers, one.slow, one.rank) for service, one in beside.items()} == {
        "web": (40, True, 1.0),
        "reviews": (40, True, 1.0),
        "ratings": (40, True, 1.0),
    }
    assert beside["ratings"].own == 9_000
    assert beside["reviews"].own == beside["web"].own // 2 == 1_000
    assert beside["ratings"].median == pytest.approx(900, rel=0.01)
    alone = compared(traces.trace(f"{1:032x}"), [])
    assert math.isnan(alone[0].median)
    assert not alone[0].slow


def test_time_that_children_share_is_taken_once():
    spans, _ = spans_of(
        exported(
            Made("a", 1, duration=100), Made("b", 2, 1, start=10, duration=50), Made("c", 3, 1, start=40, duration=40)
        ),
        "",
    )
    assert own_times(spans)[f"{1:016x}"] == 100 - 70


def test_spans_outlive_a_restart_and_a_file_of_others_does_not_stop_it(tmp_path: Path):
    path = tmp_path / "traces.db"
    path.write_bytes(b"something else" * 500)
    _traces(exported(*_shop(5)), path=path).close()
    assert len(Traces(path).trace(f"{5:032x}")) == 3


def test_the_file_stays_as_small_as_it_must_and_keeps_the_newest(tmp_path: Path):
    path = tmp_path / "traces.db"
    traces = Traces(path, capacity=2_000_000)
    chance = random.Random(1)
    for number in range(1, 8_001):
        tags = {"text": chance.randbytes(200).hex()}
        traces.take(*spans_of(exported(Made("web", 1, trace=number, start=number, tags=tags)), ""))
        if number % 500 == 0:
            traces.flush()
    traces.close()
    assert path.stat().st_size < 4_000_000
    kept = [int(one.id, 16) for one in Traces(path).search(Wanted(), limit=10_000)]
    assert kept == list(range(8_000, 8_000 - len(kept), -1))
    assert len(kept) > 1_000


def test_what_the_disk_cannot_keep_up_with_is_dropped_and_counted():
    traces = Traces(None, queue=10)
    for number in range(1, 16):
        traces.take(*spans_of(exported(Made("web", number)), ""))
    assert (traces.taken, traces.dropped) == (10, 5)
    assert len(traces.trace(f"{1:032x}")) == 10


def test_json_of_applications_is_read_as_the_protobuf_is():
    request = exported(*_shop(9))
    body = json_format.MessageToDict(request)
    for resource in body["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span, wire in zip(scope["spans"], spans_of(request, "")[0], strict=False):
                del wire
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in span:
                        span[name] = json_format.base64.b64decode(span[name]).hex()
    assert spans_of(request_of(json.dumps(body).encode(), json=True), "") == spans_of(request, "")


def test_spans_without_ids_are_counted_and_the_rest_is_kept():
    request = exported(*_shop(1))
    request.resource_spans[0].scope_spans[0].spans[0].trace_id = b"short"
    request.resource_spans[1].scope_spans[0].spans[0].span_id = bytes(8)
    spans, invalid = spans_of(request, "")
    assert (len(spans), invalid) == (1, 2)


def test_what_is_too_large_is_cut():
    request = exported(
        Made("s" * 10_000, 1, name="n" * 10_000, tags={f"k{number}": "v" * 5_000 for number in range(500)})
    )
    (span,), _ = spans_of(request, "")
    assert (len(span.service), len(span.name), len(span.attributes)) == (256, 256, 64)
    assert {len(value) for _, value in span.attributes} == {1024}


@pytest.mark.parametrize("content", [b"\xff\xff\xff", b"not protobuf"])
def test_what_is_no_export_is_a_mistake_of_the_peer(content: bytes):
    with pytest.raises(NotOtlp):
        request_of(content)


_WORDS = st.sampled_from(["resourceSpans", "scopeSpans", "spans", "traceId", "links"])
_JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3),
).map(lambda value: json.dumps(value).encode())


@given(st.binary(max_size=400) | _JSON)
def test_no_json_breaks_the_reader(content: bytes):
    with suppress(NotOtlp):
        spans_of(request_of(content, json=True), "")
