"""What documents of Telemetry say, done by real Envoys: metrics, access logs and spans."""

import contextlib
import http.client
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.compiler.sidecars import Answer
from tests.intents.intent import mesh_of, world
from tests.intents.minimesh import MiniMesh, minimesh, until
from tests.observe.receivers import Received, grpc_receiver, http_receiver
from weft._pb.envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from weft.agent.exposition import exposition
from weft.compiler.telemetry.forced import forced
from weft.kit.clock import SystemClock
from weft.model.reporting import peer_of
from weft.model.series import End
from weft.model.spans import LOG
from weft.observe.access_logs import Reporter, access_log_sink
from weft.observe.sinks import SinkHandlers, UnarySink
from weft.observe.traces.logged import export_of
from weft.observe.traces.otlp import request_of, spans_of
from weft.observe.traces.span import CLIENT, SERVER, Span
from weft.observe.traces.tracing import METHOD
from weft.xds.introduction import identity_of

pytestmark = pytest.mark.live
SOON = 15.0
_SERVICES = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: collector, namespace: shop}
spec:
  hosts: [collector.example.com]
  ports: [{number: 4317, name: grpc, protocol: GRPC}]
  resolution: STATIC
  endpoints: [{address: 10.0.0.91}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: backend, namespace: shop}
spec:
  hosts: [backend.example.com]
  ports: [{number: 9411, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 10.0.0.92}]
"""
_CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: |
    defaultConfig: {tracing: {sampling: 100}}
    extensionProviders:
    - name: als
      envoyHttpAls:
        {service: collector.example.com, port: 4317, logName: requests, additionalRequestHeadersToLog: [x-user]}
    - name: tcp-als
      envoyTcpAls: {service: collector.example.com, port: 4317}
    - name: otel-logs
      envoyOtelAls:
        service: collector.example.com
        port: 4317
        logFormat:
          text: "%REQ(:METHOD)% %RESPONSE_CODE%"
          labels: {path: "%REQ(:PATH)%", more: {user: "%REQ(X-USER)%"}}
    - name: lines
      envoyFileAccessLog: {path: FILE, omitEmptyValues: true, logFormat: {labels: {
        code: "%RESPONSE_CODE%", agent: "%REQ(X-AGENT)%", gone: "%REQ(X-NOT-THERE)%", of: {path: "%REQ(:PATH)%"}}}}
    - name: otlp
      opentelemetry: {service: collector.example.com, port: 4317, maxTagLength: 20,
        grpc: {timeout: 1s, initialMetadata: [{name: x-key, value: secret}]}, resourceDetectors: {environment: {}},
        serviceAttributeEnrichment: OTEL_SEMANTIC_CONVENTIONS}
    - name: otlp-http
      opentelemetry: {service: backend.example.com, port: 9411,
        http: {path: /v1/traces, timeout: 1s, headers: [{name: x-key, value: secret}]}}
    - name: zipkin
      zipkin: {service: backend.example.com, port: 9411, traceContextOption: USE_B3_WITH_W3C_PROPAGATION}
    - name: datadog
      datadog: {service: backend.example.com, port: 9411}
    - name: skywalking
      skywalking: {service: collector.example.com, port: 4317, accessToken: token}
"""


class World:
    """A running mesh, its control plane's spans, and the receivers."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "lines.json"
        self._told: list[Span] = []
        self._since = 0
        self.recorded = 0
        """Of how many calls who was called was told that they are recorded."""
        sinks = (UnarySink(method=METHOD, take=self._taken), access_log_sink({LOG: self._logged}))
        self.handlers = SinkHandlers(sinks, identity_of, SystemClock())
        self.mini: MiniMesh
        self.grpc: Received
        self.http: Received

    def _taken(self, identity: object, content: bytes) -> None:
        self._told += spans_of(request_of(content), str(identity)).spans

    def _logged(self, reporter: Reporter, message: StreamAccessLogsMessage) -> None:
        self._told += spans_of(export_of(reporter, message), str(reporter.identity)).spans

    def forget(self) -> None:
        """Know no spans of calls made before now: proxies tell of them up to seconds later."""
        self._since = time.time_ns() // 1000
        self.recorded = 0

    @property
    def spans(self) -> list[Span]:
        """Of the calls made since `forget`, in the order in which they were told."""
        return [one for one in self._told if one.start >= self._since]

    def serve(self, *documents: str) -> None:
        """Make these documents the mesh's, beside its configuration."""
        config = _CONFIG.replace("FILE", str(self.file))
        self.mini.serve(mesh_of("\n---".join((_SERVICES, config, *documents))))

    def ask(self, host: str = "reviews:9080", path: str = "/", count: int = 1, **headers: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.mini.proxy, timeout=20)
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        with contextlib.closing(connection):
            for _ in range(count):
                connection.request("GET", f"http://{host}{path}", headers={"x-call": "told", **said})
                self.take(Answer(connection.getresponse()))

    def take(self, answer: Answer) -> None:
        """The answer to a call."""
        self.answer = answer
        self.recorded += answer.status == 200 and self.seen.get("traceparent", "").endswith("-01")

    @property
    def seen(self) -> dict[str, str]:
        """The headers that the application got last."""
        return {name.lower(): value for name, value in self.answer.seen["headers"].items()}

    def lines(self) -> list[dict[str, Any]]:
        """What the file has, without a line that is still being written."""
        whole = self.file.read_text().rpartition("\n")[0] if self.file.exists() else ""
        return [json.loads(line) for line in whole.splitlines()]

    def counted(self, name: str) -> str:
        """What the caller's sidecar counts, as Prometheus is told it: the lines of a metric."""
        own = End(peer=peer_of("web-1", "shop", (("app", "web"), ("version", "v1"))))
        text = exposition(self.mini.client.ask("/stats/prometheus"), own)
        return "\n".join(line for line in text.splitlines() if line.startswith(name))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("mesh")
    found = World(directory)
    with (
        grpc_receiver() as (found.grpc, port),
        http_receiver() as (found.http, other),
        minimesh(directory, world(), others=(found.handlers,)) as found.mini,
    ):
        found.mini.applications |= {"collector-0": port, "backend-0": other}
        yield found


def telemetry(spec: str, name: str = "one", namespace: str = "shop") -> str:
    """A document. It sets: accessLogging, metrics, tracing, selector, targetRefs."""
    return f"""
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {{name: {name}, namespace: {namespace}}}
spec:
{spec}
"""


def test_calls_are_logged_by_every_kind_of_provider_where_an_expression_lets_them(told: World) -> None:
    told.serve(
        """
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: logs, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  accessLogging:
  - providers: [{name: als}, {name: otel-logs}, {name: lines}]
    match: {mode: CLIENT}
    filter: {expression: "request.url_path.startsWith('/logged')"}
"""
    )
    told.ask(path="/quiet", x_user="ann")
    forging = """curl","code":"999"}{"code":"""  # CVE-2025-25294: what callers say is a value, whatever it looks like
    told.ask(path="/logged", x_user="ann", x_agent=forging)
    until(lambda: bool(told.grpc.entries()) and bool(told.grpc.logs()) and bool(told.lines()), SOON)
    entries = [entry for message in told.grpc.entries() for entry in message.http_logs.log_entry]
    assert told.grpc.entries()[0].identifier.log_name == "requests"
    assert [entry.request.path for entry in entries] == ["/logged"]
    assert dict(entries[0].request.request_headers) == {"x-user": "ann"}
    (log,) = told.grpc.logs()
    assert log.body.string_value == "GET 200"
    attributes = {pair.key: pair.value for pair in log.attributes}
    assert attributes["path"].string_value == "/logged"
    assert attributes["more"].kvlist_value.values[0].value.string_value == "ann"
    assert told.lines() == [{"code": 200, "agent": forging, "of": {"path": "/logged"}}]


def test_what_is_said_for_a_workload_holds_over_its_namespace_and_that_over_the_mesh(told: World) -> None:
    everywhere = telemetry("  accessLogging: [{providers: [{name: lines}]}]", "mesh", "istio-system")
    namespace = """
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: namespace, namespace: shop}
spec:
  accessLogging: [{disabled: true}]
"""
    own = "  selector: {matchLabels: {app: web}}\n  accessLogging: [{providers: [{name: lines}]}]"
    levels = {"/mesh": (everywhere,), "/namespace": (everywhere, namespace)}
    levels["/own"] = (everywhere, namespace, telemetry(own, "own"))
    for path, documents in levels.items():
        told.serve(*documents)
        told.ask(path=path)

    def written() -> list[str]:
        return sorted(line["of"]["path"] for line in told.lines() if line["of"]["path"] in levels)

    until(lambda: len(written()) >= 3, SOON)
    assert written() == ["/mesh", "/mesh", "/own"]


def test_metrics_are_left_out_and_counted_by_other_tags_where_a_document_says_so(told: World) -> None:
    told.serve(
        """
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: metrics, namespace: shop}
spec:
  metrics:
  - providers: [{name: prometheus}]
    overrides:
    - {match: {metric: REQUEST_SIZE, mode: CLIENT}, disabled: true}
    - match: {metric: REQUEST_COUNT}
      tagOverrides:
        request_method: {operation: UPSERT, value: request.method}
        destination_version: {value: "'fixed'"}
        response_code: {operation: REMOVE}
        source_principal: {operation: REMOVE}
"""
    )
    told.ask("ratings:9080", count=3)

    def counted() -> list[str]:
        return [one for one in told.counted("istio_requests_total").splitlines() if "request_method" in one]

    until(lambda: [one.rpartition(" ")[2] for one in counted()] == ["3"], SOON)
    (line,) = counted()
    assert 'request_method="GET"' in line
    assert 'destination_version="fixed"' in line
    assert "response_code" not in line
    assert "source_principal" not in line
    until(lambda: "ratings" in told.counted("istio_request_duration_milliseconds_count"), SOON)
    assert "ratings" not in told.counted("istio_request_bytes_count")


def test_nothing_is_counted_where_all_metrics_are_disabled(told: World) -> None:
    told.serve(telemetry("  metrics: [{overrides: [{match: {metric: ALL_METRICS}, disabled: true}]}]"))
    before = told.counted("istio_")
    told.ask("ratings:9080", count=5)
    time.sleep(0.5)
    assert told.counted("istio_") == before


def test_by_itself_a_mesh_sends_spans_of_both_sides_to_its_control_plane(told: World) -> None:
    told.serve()
    told.forget()
    told.ask(path="/traced")
    until(lambda: len([one for one in told.spans if "/traced" in dict(one.attributes)["http.url"]]) >= 2, SOON)
    client, server = sorted(told.spans, key=lambda one: one.kind, reverse=True)
    assert (client.kind, server.kind) == (CLIENT, SERVER)
    assert (client.service, server.service) == ("web.shop", "reviews.shop")
    assert (client.parent, server.parent, server.trace) == ("", client.id, client.trace)
    assert told.seen["traceparent"] == f"00-{client.trace}-{server.id}-01"


def test_of_a_hundred_calls_few_are_traced_unless_the_caller_says_so(told: World) -> None:
    told.serve(telemetry("  tracing: [{randomSamplingPercentage: 0}]"))
    told.forget()
    told.ask(path="/seldom", count=20)
    assert told.seen["traceparent"].endswith("-00"), "those who are called know that it is not recorded"
    sampled = f"00-{'ab' * 16}-{'cd' * 8}-01"
    told.ask(path="/decided", traceparent=sampled)
    until(lambda: len(told.spans) >= 2, SOON)
    time.sleep(1.5)
    assert {one.trace for one in told.spans} == {"ab" * 16}


def test_spans_that_a_log_tells_are_what_the_tracer_would_have_told(told: World) -> None:
    """At 100 % the tracer tells, at 0 % a log tells of what the caller decided."""
    found = {}
    for percent in (100, 0):
        tags = "{fixed: {literal: {value: said}}, user: {header: {name: x-user, defaultValue: nobody}}}"
        told.serve(telemetry(f"  tracing: [{{randomSamplingPercentage: {percent}, customTags: {tags}}}]"))
        told.forget()
        told.ask("ratings:9080", "/the/same?a=b", traceparent=f"00-{'ab' * 16}-{'cd' * 8}-03", x_user="ann")
        assert told.seen["traceparent"][:35] == f"00-{'ab' * 16}"
        until(lambda: len(told.spans) >= 2, SOON)
        client, server = sorted(told.spans, key=lambda one: one.kind, reverse=True)
        assert (client.parent, server.parent) == ("cd" * 8, client.id)
        assert told.seen["traceparent"].split("-")[2] == server.id
        assert all(0 < one.duration < 5e6 and abs(time.time() * 1e6 - one.start) < 60e6 for one in told.spans)
        found[percent] = [
            (one.name, one.kind, one.service, one.error, dict(one.attributes)) for one in (client, server)
        ]
    for traced, logged in zip(*found.values(), strict=True):
        assert logged[:4] == traced[:4]
        assert _lasting(traced[4]).items() <= logged[4].items()
        assert set(logged[4]) - set(traced[4]) <= {"upstream_address"}


def _lasting(tags: dict[str, str]) -> dict[str, str]:
    """Without what is empty, and what differs from call to call; the answer has the headers in it."""
    return {
        key: value
        for key, value in tags.items()
        if value not in ("", "-") and key not in ("guid:x-request-id", "response_size")
    }


def test_of_some_calls_in_a_hundred_whole_traces_are_told(told: World) -> None:
    told.serve(telemetry("  tracing: [{randomSamplingPercentage: 10}]"))
    told.forget()
    told.ask(path="/some", count=400)
    told.ask(path="/last", traceparent=f"00-{'ef' * 16}-{'cd' * 8}-01")

    def traces() -> list[list[Span]]:
        found: dict[str, list[Span]] = {}
        for one in told.spans:
            found.setdefault(one.trace, []).append(one)
        return list(found.values())

    until(lambda: len(told.spans) >= 2 * told.recorded, SOON)
    assert 15 <= len(traces()) == told.recorded <= 80
    assert {len(spans) for spans in traces()} == {2}
    for spans in traces():
        client, server = sorted(spans, key=lambda one: one.kind, reverse=True)
        assert (client.kind, server.kind, server.parent) == (CLIENT, SERVER, client.id)
    begun = [spans[0].trace for spans in traces() if spans[0].trace != "ef" * 16]
    assert len({one[:8] for one in begun}) == len(begun), "random digits tell apart what begins at one nanosecond"
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in begun)


_ID, _SHORT, _FROM = "ab" * 16, "ab" * 8, "cd" * 8
_OF_B3 = {
    "single": ({"b3": f"{_ID}-{_FROM}-1-{'ef' * 8}"}, _ID),
    "short": ({"b3": f"{_SHORT}-{_FROM}-d"}, "0" * 16 + _SHORT),
    "several": ({"x_b3_traceid": _ID, "x_b3_spanid": _FROM, "x_b3_sampled": "1"}, _ID),
    "several-short": ({"x_b3_traceid": _SHORT, "x_b3_spanid": _FROM, "x_b3_flags": "1"}, "0" * 16 + _SHORT),
}


def test_a_call_with_headers_of_b3_alone_is_of_the_trace_that_they_name(told: World) -> None:
    told.serve(telemetry("  tracing: [{randomSamplingPercentage: 0}]"))
    told.forget()
    seen = {}
    for form, (said, _) in _OF_B3.items():
        told.ask(path=f"/{form}", **said)
        seen[form] = told.seen
    until(lambda: len(told.spans) >= 2 * len(_OF_B3), SOON)
    for form, (said, trace) in _OF_B3.items():
        client, server = sorted(_spans_of(told, form), key=lambda one: one.kind, reverse=True)
        assert (client.kind, client.trace, client.parent) == (CLIENT, trace, _FROM)
        assert (server.kind, server.trace, server.parent) == (SERVER, trace, client.id)
        assert seen[form]["traceparent"] == f"00-{trace}-{server.id}-01"
        if "b3" in said:
            assert seen[form]["b3"] == f"{trace}-{server.id}-1"
        else:
            assert (seen[form]["x-b3-traceid"], seen[form]["x-b3-spanid"]) == (said["x_b3_traceid"], server.id)
            assert (seen[form]["x-b3-parentspanid"], seen[form]["x-b3-sampled"]) == (client.id, "1")


def test_a_caller_without_a_sidecar_that_sends_b3_is_followed_by_who_is_called(told: World) -> None:
    told.serve(telemetry("  tracing: [{randomSamplingPercentage: 0}]"))
    told.forget()
    seen = {}
    for form, (said, _) in _OF_B3.items():
        _ask_plainly(told, 1, f"/{form}", **said)
        seen[form] = told.seen
    until(lambda: len(told.spans) >= len(_OF_B3), SOON)
    for form, (_, trace) in _OF_B3.items():
        (server,) = _spans_of(told, form)
        assert (server.kind, server.trace, server.parent) == (SERVER, trace, _FROM)
        assert seen[form]["traceparent"] == f"00-{trace}-{server.id}-01"


def _spans_of(told: World, path: str) -> list[Span]:
    return [one for one in told.spans if dict(one.attributes)["http.url"].endswith(f"/{path}")]


def test_what_b3_leaves_open_is_drawn_and_what_it_refuses_is_not(told: World) -> None:
    told.serve(telemetry("  tracing: [{randomSamplingPercentage: 10}]"))
    told.forget()
    refused = (
        {"b3": "0"},
        {"b3": f"{_ID}-{_FROM}-0"},
        {"x_b3_sampled": "0"},
        {"x_b3_traceid": _ID, "x_b3_sampled": "0"},
    )
    for said in refused:
        told.ask(path="/refused", count=40, **said)
        assert told.seen["traceparent"].endswith("-00")
    told.ask(path="/open", count=300, b3=f"{_ID}-{_FROM}")
    w3c = f"00-{'12' * 16}-{'34' * 8}-01"
    told.ask(path="/both", traceparent=w3c, b3=f"{_ID}-{_FROM}-0")
    until(lambda: len(told.spans) >= 2 * told.recorded, SOON)
    assert {one.kind for one in told.spans if one.trace == "12" * 16} == {CLIENT, SERVER}
    paths = {dict(one.attributes)["http.url"].rpartition("/")[2] for one in told.spans}
    assert paths == {"open", "both"}
    drawn = [one for one in told.spans if one.kind == CLIENT and one.trace == _ID]
    assert 8 <= len(drawn) <= 65
    assert {one.parent for one in drawn} == {_FROM}


def test_calls_of_callers_without_a_sidecar_begin_traces_where_they_are_called(told: World) -> None:
    told.serve(telemetry("  tracing: [{randomSamplingPercentage: 10}]"))
    told.forget()
    _ask_plainly(told, 80)
    _ask_plainly(told, 80, x_request_id="not-of-an-UUID")
    until(lambda: len(told.spans) >= told.recorded, SOON)
    assert {(one.kind, one.parent) for one in told.spans} == {(SERVER, "")}
    assert 2 <= len({one.trace for one in told.spans}) == len(told.spans) == told.recorded <= 60


def _ask_plainly(told: World, count: int, path: str = "/plain", **said: str) -> None:
    """As a caller that has no sidecar."""
    connection = http.client.HTTPConnection("127.0.0.1", told.mini.ports["reviews-v1"], timeout=20)
    headers = {name.replace("_", "-"): value for name, value in said.items()}
    with contextlib.closing(connection):
        for _ in range(count):
            connection.request("GET", path, headers={"x-call": "told", **headers})
            told.take(Answer(connection.getresponse()))


def test_a_call_that_a_policy_refuses_has_spans_of_both_sides(told: World) -> None:
    told.serve(telemetry("  tracing: [{randomSamplingPercentage: 0}]"), _REFUSING)
    told.forget()
    told.ask("ratings:9080", "/refused", traceparent=f"00-{'ab' * 16}-{'cd' * 8}-01")
    assert told.answer.status == 403
    until(lambda: {one.kind for one in told.spans} == {CLIENT, SERVER}, SOON)
    client, server = sorted(told.spans, key=lambda one: one.kind, reverse=True)
    assert server.parent == client.id != server.id


_REFUSING = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: refusing, namespace: shop}
spec:
  action: DENY
  rules: [{to: [{operation: {paths: [/refused]}}]}]
"""


def test_a_span_has_the_tags_that_a_document_wants_and_goes_where_it_says(told: World) -> None:
    told.serve(
        """
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: spans, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  tracing:
  - match: {mode: CLIENT}
    providers: [{name: otlp}]
    randomSamplingPercentage: 100
    useRequestIdForTraceSampling: false
    enableIstioTags: false
    customTags:
      fixed: {literal: {value: yes it is}}
      home: {environment: {name: NOT_SET, defaultValue: nowhere}}
      user: {header: {name: x-user, defaultValue: nobody}}
      method: {formatter: {value: "%REQ(:METHOD)%"}}
"""
    )
    told.forget()
    told.ask(path="/tags/and/a/long/path", x_user="ann")
    until(lambda: bool(told.grpc.spans()), SOON)
    ((service, span),) = told.grpc.spans()
    tags = {pair.key: pair.value.string_value for pair in span.attributes}
    wanted = {"fixed": "yes it is", "home": "nowhere", "user": "ann", "method": "GET"}
    assert {name: tags[name] for name in wanted} == wanted
    assert "istio.namespace" not in tags
    assert tags["http.url"].endswith("/tags/and/a/long/pat")
    assert service == "web"
    said = told.grpc.of("/opentelemetry.proto.collector.trace.v1.TraceService/Export")[0][1]
    assert said["x-key"] == "secret"
    until(lambda: any(one.kind == SERVER for one in told.spans), SOON)
    assert all(one.kind == SERVER for one in told.spans), "the callee's side still tells the control plane"


def test_spans_go_by_http_and_to_other_backends_with_the_headers_of_each(told: World) -> None:
    def one(name: str) -> str:
        return telemetry(f"  tracing: [{{providers: [{{name: {name}}}]}}]")

    told.serve(one("otlp-http"))
    told.ask(path="/by-http")
    until(lambda: len(told.http.spans()) >= 2, SOON)
    assert told.http.of("/v1/traces")[0][1]["x-key"] == "secret"
    told.serve(one("zipkin"))
    told.ask(path="/by-zipkin")
    until(lambda: len(told.http.of("/api/v2/spans")) >= 1, SOON)
    assert {"x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "traceparent"} <= told.seen.keys()
    told.serve(one("datadog"))
    told.ask(path="/by-datadog")
    assert "x-datadog-trace-id" in told.seen
    until(lambda: any(path.endswith("/traces") and path != "/v1/traces" for path, *_ in told.http.messages), SOON)
    told.serve(one("skywalking"))
    told.ask(path="/by-skywalking")
    until(lambda: any("skywalking" in method for method, *_ in told.grpc.messages), SOON)


def test_no_spans_are_made_where_a_document_says_so_and_headers_stay_as_they_are(told: World) -> None:
    told.serve(
        """
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: none, namespace: shop}
spec:
  tracing: [{disableSpanReporting: true}]
"""
    )
    told.ask()
    assert "traceparent" not in told.seen
    told.serve(
        """
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: silent, namespace: shop}
spec:
  tracing: [{disableContextPropagation: true}]
"""
    )
    told.forget()
    told.ask()
    assert "traceparent" not in told.seen
    until(lambda: bool(told.spans), SOON)


def test_a_gateway_has_the_telemetry_that_names_it(told: World) -> None:
    edge = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  selector: {istio: edge}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: edge, namespace: shop}
spec:
  hosts: ["*"]
  gateways: [edge]
  http: [{route: [{destination: {host: reviews}}]}]
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: edge, namespace: shop}
spec:
  KEY
  accessLogging: [{providers: [{name: lines}]}]
"""
    target = "{group: gateway.networking.k8s.io, kind: Gateway, name: edge}"
    for path, key in (("/one", f"targetRef: {target}"), ("/many", f"targetRefs: [{target}]")):
        told.serve(edge.replace("KEY", key))
        connection = http.client.HTTPConnection("127.0.0.1", told.mini.edge_port(80), timeout=20)
        with contextlib.closing(connection):
            connection.request("GET", f"{path}-of-the-edge", headers={"host": "a.example.com", "x-call": "edge"})
            assert connection.getresponse().status == 200

    def written() -> list[str]:
        return [line["of"]["path"] for line in told.lines() if line["of"]["path"].endswith("-of-the-edge")]

    until(lambda: len(written()) >= 2, SOON)
    assert written() == ["/one-of-the-edge", "/many-of-the-edge"]


_ROUTES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec:
  hosts: [reviews]
  http: [{route: [{destination: {host: reviews}}]}]
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: of-route, namespace: shop}
spec:
  targetRefs: [{group: networking.istio.io, kind: VirtualService, name: reviews}]
  tracing: [SAID]
"""


def _by_route(told: World, said: str, percent: int) -> None:
    proxies = telemetry(f"  tracing: [{{randomSamplingPercentage: {percent}}}]", "proxies")
    told.serve(proxies, _ROUTES.replace("SAID", said))
    told.forget()


def _told_of(told: World, *asked: str, least: int) -> set[str]:
    """Which of these paths there are spans of, once there are enough; those of earlier calls may still come."""

    def seen() -> list[str]:
        names = [dict(one.attributes)["http.url"].rpartition("/")[2] for one in told.spans]
        return [name for name in names if name in asked]

    until(lambda: len(seen()) >= least, SOON)
    return set(seen())


def test_a_route_says_of_how_many_of_its_calls_there_are_spans(told: World) -> None:
    _by_route(told, "{randomSamplingPercentage: 100}", 0)
    told.ask("ratings:9080", "/not-of-the-route", count=20)
    told.ask(path="/all", count=10)
    assert _told_of(told, "not-of-the-route", "all", least=20) == {"all"}
    for one in (one for one in _spans_of(told, "all") if one.kind == SERVER):
        (client,) = (other for other in told.spans if other.kind == CLIENT and other.trace == one.trace)
        assert (one.parent, client.parent) == (client.id, "")
    _by_route(told, "{randomSamplingPercentage: 25}", 100)
    told.ask(path="/quarter", count=200)
    told.ask("ratings:9080", "/others")
    until(lambda: len([one for one in _spans_of(told, "quarter") if one.kind == CLIENT]) >= 20, SOON)
    until(lambda: any(one.kind == CLIENT for one in _spans_of(told, "others")), SOON)
    quarter = [one for one in _spans_of(told, "quarter") if one.kind == CLIENT]
    assert 20 <= len(quarter) <= 85


def test_what_was_decided_before_holds_on_a_route_with_a_percentage_of_its_own(told: World) -> None:
    _by_route(told, "{randomSamplingPercentage: 0}", 100)
    told.ask(path="/none", count=20)
    assert told.seen["traceparent"].endswith("-00")
    told.ask(path="/w3c", traceparent=f"00-{'ab' * 16}-{'cd' * 8}-01")
    told.ask(path="/b3", b3=f"{_ID}-{_FROM}-1")
    assert _told_of(told, "none", "w3c", "b3", least=4) == {"w3c", "b3"}
    for path in ("w3c", "b3"):
        assert {one.parent for one in _spans_of(told, path) if one.kind == CLIENT} == {_FROM}
    _by_route(told, "{randomSamplingPercentage: 100}", 0)
    told.ask(path="/decided", count=5, traceparent=f"00-{'ab' * 16}-{'cd' * 8}-00")
    told.ask(path="/refused", count=5, b3="0")
    told.ask(path="/drawn")
    assert _told_of(told, "decided", "refused", "drawn", least=2) == {"drawn"}


def test_a_trace_that_a_gateway_begins_goes_on_inside(told: World) -> None:
    edge = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  selector: {istio: edge}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec:
  hosts: ["*"]
  gateways: [edge]
  http: [{route: [{destination: {host: reviews}}]}]
"""
    of_route = _ROUTES.partition("---")[2].replace("SAID", "{randomSamplingPercentage: 100}")
    told.serve(edge, of_route, telemetry("  tracing: [{randomSamplingPercentage: 0}]", "proxies"))
    told.forget()
    connection = http.client.HTTPConnection("127.0.0.1", told.mini.edge_port(80), timeout=20)
    unsampled = f"00-{'ab' * 16}-{'cd' * 8}-00"
    with contextlib.closing(connection):
        for path, headers in (
            ("/begun", {}),
            ("/not", {"traceparent": unsampled}),
            ("/edge", {"b3": f"{_ID}-{_FROM}-1"}),
        ):
            connection.request("GET", path, headers={"host": "a.example.com", "x-call": "told", **headers})
            assert connection.getresponse().read() is not None
    assert _told_of(told, "begun", "not", "edge", least=4) == {"begun", "edge"}
    for path, parent in (("begun", ""), ("edge", _FROM)):
        found = _spans_of(told, path)
        gateway, server = sorted(found, key=lambda one: one.kind, reverse=True)
        assert (gateway.kind, gateway.parent, server.kind) == (CLIENT, parent, SERVER)
        assert (server.trace, server.parent) == (gateway.trace, gateway.id)


def test_a_route_without_spans_has_none_until_its_caller_is_traced_on_demand(told: World) -> None:
    silent = "{disableSpanReporting: true}"
    _by_route(told, silent, 10)
    told.ask(path="/silent", count=20)
    told.ask(path="/passed", traceparent=f"00-{'ab' * 16}-{'cd' * 8}-01")
    assert _told_of(told, "silent", "passed", least=1) == {"passed"}
    time.sleep(1.2)
    assert _told_of(told, "silent", "passed", least=1) == {"passed"}
    assert {(one.kind, one.parent) for one in _spans_of(told, "passed")} == {(SERVER, "cd" * 8)}, "who is called tells"
    documents = (_SERVICES, _CONFIG.replace("FILE", str(told.file)), _ROUTES.replace("SAID", silent))
    told.mini.serve(mesh_of("\n---".join(documents)), altered=lambda made: forced(made, 100))
    told.forget()
    told.ask(path="/now")
    until(lambda: {one.kind for one in told.spans} == {CLIENT, SERVER}, SOON)


def test_a_caller_is_traced_on_demand_even_where_it_was_decided_that_its_calls_are_not(told: World) -> None:
    documents = (
        _SERVICES,
        _CONFIG.replace("FILE", str(told.file)),
        telemetry("  tracing: [{randomSamplingPercentage: 0}]"),
    )
    told.mini.serve(mesh_of("\n---".join(documents)), altered=lambda made: forced(made, 100))
    told.forget()
    unsampled = f"00-{'12' * 16}-{'34' * 8}-00"
    told.ask(path="/on-demand", traceparent=unsampled)
    until(lambda: {one.kind for one in told.spans} == {CLIENT, SERVER}, SOON)
    assert {one.trace for one in told.spans} == {"12" * 16}
    told.serve(telemetry("  tracing: [{randomSamplingPercentage: 0}]"))
    told.forget()
    told.ask(path="/as-before", traceparent=unsampled)
    told.ask(path="/as-before", traceparent=f"00-{'56' * 16}-{'34' * 8}-01")
    until(lambda: bool(told.spans), SOON)
    assert {one.trace for one in told.spans} == {"56" * 16}


def test_a_sink_that_answers_nothing_or_is_away_slows_no_call_and_fills_no_memory(told: World) -> None:
    """Every call is logged twice and traced to collectors that take nothing, then to nobody at all."""
    spec = "  tracing: [{providers: [{name: otlp}]}]\n"
    spec += "  accessLogging: [{providers: [{name: als}, {name: otel-logs}]}]"
    told.serve(telemetry(spec))
    told.ask(count=300)
    usual, used = _quickest(told), _memory(told)
    told.grpc.held.clear()
    try:
        held = _quickest(told)
        told.ask(count=3000)
        assert _memory(told) - used < 24 * 1024 * 1024
    finally:
        told.grpc.held.set()
    told.mini.applications["collector-0"], there = 1, told.mini.applications["collector-0"]
    try:
        told.serve(telemetry("  accessLogging: [{providers: [{name: als}]}]"))
        told.serve(telemetry(spec))
        away = _quickest(told)
        told.ask(count=1500)
    finally:
        told.mini.applications["collector-0"] = there
    assert max(held, away) < usual + 0.02, (usual, held, away)
    assert _memory(told) - used < 32 * 1024 * 1024
    statistics = told.mini.client.ask("/stats?filter=dropped|logs_written").splitlines()
    assert any(not line.endswith(": 0") for line in statistics if "dropped" in line), statistics


def _quickest(told: World) -> float:
    """Seconds that the quickest calls take: whoever waits for a sink always waits, and others use the machine, too."""
    took = []
    for _ in range(60):
        begin = time.perf_counter()
        told.ask()
        took.append(time.perf_counter() - begin)
    return sorted(took)[len(took) // 10]


def _memory(told: World) -> int:
    return int(json.loads(told.mini.client.ask("/memory"))["allocated"])
