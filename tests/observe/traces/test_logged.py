"""Spans of what proxies' logs tell of recorded calls."""

from weft._pb.envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from weft.model.identity import Identity
from weft.model.spans import LIMIT, PARENT, SERVICE, SIDE, STATUS, TRACE
from weft.observe.access_logs import Reporter
from weft.observe.traces.logged import export_of
from weft.observe.traces.otlp import request_of, spans_of
from weft.observe.traces.span import SERVER, Span
from weft.observe.traces.store import Traces
from weft.observe.traces.tracing import Tracing

_WEB = Reporter(proxy="web-1.shop", identity=Identity(trust_domain="cluster.local", namespace="shop", account="web"))
_TRACE, _SPAN, _PARENT = "ab" * 16, "cd" * 8, "ef" * 8


def _told(code: int = 200, **tags: str) -> StreamAccessLogsMessage:
    message = StreamAccessLogsMessage()
    entry = message.http_logs.log_entry.add()
    entry.request.authority, entry.request.path, entry.request.scheme = "web:9080", "/items/7", "http"
    entry.common_properties.start_time.FromNanoseconds(1_700_000_000_000_001_000)
    entry.common_properties.duration.FromMicroseconds(2500)
    if code:
        entry.response.response_code.value = code
    said = {TRACE: f"00-{_TRACE}-{_SPAN}-01", SERVICE: "web.shop", SIDE: "server"}
    entry.common_properties.custom_tags.update(said | {f"weft.{name}": value for name, value in tags.items()})
    return message


def _span(message: StreamAccessLogsMessage) -> Span:
    ((span,), invalid) = spans_of(export_of(_WEB, message), _WEB.identity.uri)
    assert not invalid
    return span


def test_an_entry_is_a_span_of_its_service_with_its_parent() -> None:
    span = _span(_told(parent=f"00-{_TRACE}-{_PARENT}-01"))
    assert (span.trace, span.id, span.parent, span.service) == (_TRACE, _SPAN, _PARENT, "web.shop")
    assert (span.kind, span.start, span.duration, span.error) == (SERVER, 1_700_000_000_000_001, 2500, False)
    assert dict(span.attributes)["http.url"] == "http://web:9080/items/7"
    assert span.reporter == _WEB.identity.uri


def test_a_call_begins_a_trace_where_no_parent_is_told() -> None:
    assert _span(_told(parent="-")).parent == ""


def test_what_was_refused_before_it_got_a_span_of_its_own_is_not_its_parent() -> None:
    span = _span(_told(403, parent=f"00-{_TRACE}-{_SPAN}-01"))
    assert span.parent == _SPAN != span.id
    assert _span(_told(403, parent=f"00-{_TRACE}-{_SPAN}-01")).id == span.id


def test_failures_are_what_opentelemetry_says_they_are() -> None:
    failed = {(404, "client"): True, (404, "server"): False, (503, "server"): True, (0, "server"): True}
    for (code, side), error in failed.items():
        assert _span(_told(code, side=side)).error is error
    assert _span(_told(status="13")).error
    assert not _span(_told(status="5")).error
    assert _span(_told(status="5", side="client")).error
    assert not _span(_told(status="0")).error


def test_what_documents_add_is_told_and_paths_are_cut() -> None:
    message = _told(limit="6")
    message.http_logs.log_entry[0].common_properties.custom_tags["user"] = "ann"
    tags = dict(_span(message).attributes)
    assert tags["user"] == "ann"
    assert tags["http.url"] == "http://web:9080/items"
    assert not {PARENT, LIMIT, STATUS} & tags.keys()


def test_entries_without_a_trace_are_left_out() -> None:
    for context in ("", "-", "nonsense-01", f"00-{_TRACE}-{_SPAN}", f"00-{_TRACE.upper()}-{_SPAN}-01"):
        assert not export_of(_WEB, _told(trace=context)).resource_spans


def test_they_are_kept_and_passed_on_as_any_other() -> None:
    traces, passed = Traces(None), list[bytes]()
    tracing = Tracing(traces, [passed.append])
    (read,) = tracing.readers().values()
    read(_WEB, _told())
    read(_WEB, StreamAccessLogsMessage())
    assert traces.waiting
    (content,) = passed
    assert [one.id for one in spans_of(request_of(content), "x")[0]] == [_SPAN]
