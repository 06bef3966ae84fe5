"""Prometheus' HTTP API: shapes, errors and refusals, from series of our own and through to a Prometheus."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.api.api_requests import Reviewer
from tests.observe.promql.real_prometheus import PROMETHEUS, PROMTOOL, prometheus_of
from tests.observe.promql.samples import BEGIN, END, mesh_world
from weft.api.authorizer import Authorizer
from weft.api.builtin_roles import MASTERS
from weft.api.permissions import Scope
from weft.api.server import DIALECT, build_api
from weft.api.subjects import Subject
from weft.api.weft_prometheus import prometheus_routes
from weft.kit.clock import FakeClock
from weft.kit.value import labels_of
from weft.observe import forwarding
from weft.observe.forwarding import ForwardedApi
from weft.observe.prometheus import PrometheusApi
from weft.observe.promql.series import NAME
from weft.observe.windows.packing import STEP
from weft.observe.windows.sketch import Sketch
from weft.observe.windows.store import Windows
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio
_NOW = 1_700_000_100
_ANYTHING = "/prometheus/api/v1/query?query=up"


def _windows() -> Windows:
    windows = Windows(None)
    for step in range(1, 13):
        windows.count(labels_of({NAME: "istio_requests_total", "response_code": "200", "source_workload": "web"}), 10)
        latencies = labels_of({NAME: "istio_request_duration_milliseconds", "source_workload": "web"})
        windows.observe(latencies, Sketch.of_values([5.0] * 10), 10, 50.0)
        windows.tick(_NOW * 1000 - 60_000 + step * STEP)
    return windows


@pytest_asyncio.fixture
async def client(store: MemoryStore, reviewer: Reviewer) -> AsyncIterator[httpx2.AsyncClient]:
    people = {
        "root": Subject(name="root", groups=(MASTERS,)),
        "jane": Subject(name="jane", groups=()),
        "narrow": Subject(name="root", groups=(MASTERS,), scope=Scope(namespaces=("shop",), verbs=("get",))),
    }

    async def authenticate(token: str) -> Subject | None:
        return people.get(token)

    authorizer = Authorizer(store, DIALECT.kinds)
    clock = FakeClock(_NOW)
    app = build_api(
        store=store,
        review=reviewer,
        authenticate=authenticate,
        authorizer=authorizer,
        extra_routes=prometheus_routes(PrometheusApi(_windows(), clock, "1"), authorizer),
        clock=clock,
    )
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="https://127.0.0.1") as opened:
        opened.headers["Authorization"] = "Bearer root"
        yield opened


async def _get(client: httpx2.AsyncClient, question: str, **parameters: str) -> Any:
    response = await client.get(f"/prometheus/api/v1/{question}", params=parameters)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer["status"] == "success"
    return answer["data"]


async def test_instants_ranges_and_names_are_answered(client: httpx2.AsyncClient):
    total = await _get(client, "query", query="istio_requests_total")
    assert total == {
        "resultType": "vector",
        "result": [
            {
                "metric": {"__name__": "istio_requests_total", "response_code": "200", "source_workload": "web"},
                "value": [_NOW, "120"],
            }
        ],
    }
    form = {"query": "sum(rate(istio_requests_total[20s]))", "start": str(_NOW - 20), "end": str(_NOW), "step": "10s"}
    ranged = await client.post("/prometheus/api/v1/query_range", data=form)
    assert [value for _, value in ranged.json()["data"]["result"][0]["values"]] == ["2", "2", "2"]
    assert await _get(client, "labels") == ["__name__", "le", "response_code", "source_workload"]
    names = await _get(client, "label/__name__/values")
    assert names == [
        "istio_request_duration_milliseconds_bucket",
        "istio_request_duration_milliseconds_count",
        "istio_request_duration_milliseconds_sum",
        "istio_requests_total",
    ]
    found = await _get(client, "series", **{"match[]": '{response_code="200"}'})
    assert found == [{"__name__": "istio_requests_total", "response_code": "200", "source_workload": "web"}]
    assert await _get(client, "series", **{"match[]": "istio_requests_total", "end": "1000000000"}) == []
    p50 = await _get(client, "query", query="histogram_quantile(0.5, istio_request_duration_milliseconds_bucket)")
    assert float(p50["result"][0]["value"][1]) == pytest.approx(5, rel=0.01)


@pytest.mark.parametrize(
    ("question", "parameters", "code", "kind"),
    [
        ("query", {}, 400, "bad_data"),
        ("query", {"query": "sum("}, 400, "bad_data"),
        ("query", {"query": "up", "time": "yesterday"}, 400, "bad_data"),
        ("query", {"query": "up", "time": "nan"}, 400, "bad_data"),
        ("query", {"query": "up", "timeout": "soon"}, 400, "bad_data"),
        ("query", {"query": 'label_replace(istio_requests_total, "9", "", "a", "")'}, 422, "execution"),
        ("query_range", {"query": "up", "start": "1", "end": "2"}, 400, "bad_data"),
        ("query_range", {"query": "up", "start": "2", "end": "1", "step": "1"}, 400, "bad_data"),
        ("query_range", {"query": "up", "start": "1", "end": "2", "step": "0"}, 400, "bad_data"),
        ("query_range", {"query": "up", "start": "0", "end": "1000000", "step": "1"}, 400, "bad_data"),
        ("series", {}, 400, "bad_data"),
        ("series", {"match[]": "sum(up)"}, 400, "bad_data"),
        ("admin/tsdb/delete_series", {}, 404, "not_found"),
    ],
)
async def test_what_cannot_be_answered_says_why(
    client: httpx2.AsyncClient, question: str, parameters: dict[str, str], code: int, kind: str
):
    response = await client.get(f"/prometheus/api/v1/{question}", params=parameters)
    assert response.status_code == code
    assert response.json()["status"] == "error"
    assert response.json()["errorType"] == kind
    assert response.json()["error"]


@pytest.mark.parametrize(("token", "code"), [("nobody", 401), ("jane", 403), ("narrow", 403), ("root", 200)])
async def test_who_may_not_get_the_path_is_refused(client: httpx2.AsyncClient, token: str, code: int):
    client.headers["Authorization"] = f"Bearer {token}"
    for response in (await client.get(_ANYTHING), await client.post("/prometheus/api/v1/query", data={"query": "up"})):
        assert response.status_code == code, response.text


async def test_a_form_without_end_is_refused(client: httpx2.AsyncClient):
    response = await client.post("/prometheus/api/v1/query", content=b"query=" + b"x" * 300_000)
    assert response.status_code == 413


@pytest.mark.slow
@pytest.mark.skipif(PROMETHEUS is None or PROMTOOL is None, reason="there is no Prometheus on this machine")
async def test_questions_go_to_a_prometheus_that_is_configured(tmp_path: Path):
    with prometheus_of(mesh_world(), tmp_path) as address:
        forwarded = ForwardedApi(address)
        try:
            form = {"query": ["count(capacity)"], "time": [str((BEGIN + 600_000) / 1000)]}
            answer = json.loads((await forwarded.answer("query", form)).content)
            assert answer["data"]["result"][0]["value"][1] == "1"
            between = {"start": [str(BEGIN / 1000)], "end": [str(END / 1000)]}
            values = json.loads((await forwarded.answer("label/zone/values", between)).content)
            assert values["data"] == ["x", "y"]
            wrong = await forwarded.answer("query", {"query": ["sum("]})
            assert wrong.status == 400
            assert json.loads(wrong.content)["errorType"] == "bad_data"
        finally:
            await forwarded.close()


async def test_a_prometheus_that_is_away_is_named():
    forwarded = ForwardedApi("http://127.0.0.1:1")
    try:
        reply = await forwarded.answer("query", {"query": ["up"]})
    finally:
        await forwarded.close()
    assert reply.status == 503
    assert json.loads(reply.content)["errorType"] == "unavailable"


async def test_a_prometheus_that_hangs_holds_so_many_questions_and_others_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forwarding, "_WAITING", 8)
    monkeypatch.setattr(forwarding, "_TIMEOUT", 0.5)
    connections = 0

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        forwarded = ForwardedApi(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        try:
            asked = [forwarded.answer("query", {"query": ["up"]}) for _ in range(50)]
            replies = await asyncio.gather(*asked)
        finally:
            await forwarded.close()
    assert {reply.status for reply in replies} == {503}
    assert sum(b"too many questions" in reply.content for reply in replies) == 42
    assert connections == 8
