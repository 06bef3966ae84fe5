"""Where spans come in and go on: gRPC, HTTP in both encodings, and other backends."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.observe.traces.exports import Made, exported
from weft._pb.opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from weft.kit.errors import UserError
from weft.kit.tasks import tasks
from weft.model.identity import Identity
from weft.observe.shipping.shipper import Shipper
from weft.observe.traces.forwarding import span_shipper
from weft.observe.traces.otlp import request_of
from weft.observe.traces.server import span_routes
from weft.observe.traces.store import Traces
from weft.observe.traces.tracing import Tracing

_WEB = Identity(trust_domain="cluster.local", namespace="shop", account="web")
_PROTOBUF = {"Content-Type": "application/x-protobuf"}
_JSON = {"Content-Type": "application/json; charset=utf-8"}
_SPAN = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"%032x","spanId":"%016x","name":"n"}]}]}]}' % (3, 4)


def _client(traces: Traces, identity: Identity | None = _WEB) -> TestClient:
    return TestClient(Starlette(routes=[*span_routes(Tracing(traces), lambda _: identity)]))


def test_applications_send_spans_over_http_in_every_encoding():
    traces = Traces(None)
    client = _client(traces)
    content = exported(Made("web", 1, trace=1)).SerializeToString()
    assert client.post("/v1/traces", content=content, headers=_PROTOBUF).content == b""
    packed = gzip.compress(exported(Made("web", 1, trace=2)).SerializeToString())
    assert (
        client.post("/v1/traces", content=packed, headers=_PROTOBUF | {"Content-Encoding": "gzip"}).status_code == 200
    )
    assert client.post("/v1/traces", content=_SPAN, headers=_JSON).json() == {}
    assert [len(traces.trace(f"{number:032x}")) for number in (1, 2, 3)] == [1, 1, 1]
    assert traces.trace(f"{3:032x}")[0].reporter == _WEB.uri


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"\xff\xff", _PROTOBUF, 400),
        (b"{", _JSON, 400),
        (b"x" * 5_000_000, _PROTOBUF, 400),
        (b"no gzip", _PROTOBUF | {"Content-Encoding": "gzip"}, 400),
        (gzip.compress(bytes(50_000_000)), _PROTOBUF | {"Content-Encoding": "gzip"}, 400),
        (b"", {"Content-Type": "text/plain"}, 415),
    ],
)
def test_what_is_no_export_is_refused(content: bytes, headers: dict[str, str], status: int):
    assert _client(Traces(None)).post("/v1/traces", content=content, headers=headers).status_code == status


def test_spans_need_a_certificate():
    assert _client(Traces(None), None).post("/v1/traces", content=b"", headers=_PROTOBUF).status_code == 401


class _Backend:
    """Takes exports over HTTP, or refuses them."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, ExportTraceServiceRequest]] = []
        self.statuses: list[int] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
                body = await reader.readexactly(int(headers["content-length"]))
                status = self.statuses.pop(0) if self.statuses else 200
                if status == 200:
                    export = ExportTraceServiceRequest.FromString(body)
                    self.seen.append((head[0], headers["content-type"], export))
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def _backend() -> AsyncIterator[tuple[_Backend, Shipper]]:
    backend = _Backend()
    server = await asyncio.start_server(backend, "127.0.0.1", 0)
    shipper = span_shipper(f"otlp+http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    async with server, tasks() as group:
        group.start(shipper.run(), "spans")
        yield backend, shipper


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110  what a server saw is no event
            await asyncio.sleep(0.01)


def _take(tracing: Tracing, content: bytes) -> None:
    for _ in tracing.take(_WEB, content):
        pass


@pytest.mark.asyncio
async def test_another_backend_gets_every_span_also_when_it_was_away_for_a_while():
    traces = Traces(None)
    async with _backend() as (backend, shipper):
        backend.statuses = [503]
        tracing = Tracing(traces, (shipper.ship,))
        for number in range(1, 6):
            _take(tracing, exported(Made("web", number, trace=number)).SerializeToString())
        _take(tracing, request_of(_SPAN, json=True).SerializeToString())
        await _until(lambda: shipper.status().sent == 6)
    ids = [
        span.trace_id
        for _, _, export in backend.seen
        for resource in export.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert sorted(int.from_bytes(one, "big") for one in ids) == [1, 2, 3, 3, 4, 5]
    assert {(head, kind) for head, kind, _ in backend.seen} == {("POST /v1/traces HTTP/1.1", "application/x-protobuf")}
    assert traces.taken == 6


def test_a_backend_that_is_away_costs_no_memory_without_bound():
    shipper = span_shipper("otlp+http://127.0.0.1:1")
    for _ in range(100):
        shipper.ship(bytes(1_000_000))
    status = shipper.status()
    assert (status.queued, status.dropped) == (33, 67)


@pytest.mark.parametrize("address", ["syslog+tcp://host", "http://host", "jaeger"])
def test_what_is_no_backend_is_refused(address: str):
    with pytest.raises(UserError):
        span_shipper(address)


def test_what_was_sent_as_json_is_passed_on_as_protobuf():
    passed: list[bytes] = []
    (route,) = span_routes(Tracing(Traces(None), (passed.append,)), lambda _: _WEB)
    with TestClient(Starlette(routes=[route])) as client:
        assert client.post("/v1/traces", content=_SPAN, headers={"content-type": "application/json"}).content == b"{}"
    export = ExportTraceServiceRequest.FromString(passed[0])
    assert json.loads(_SPAN)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"] == "n"
    assert export.resource_spans[0].scope_spans[0].spans[0].name == "n"
