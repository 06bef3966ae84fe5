"""Questions about traces: who may ask, what is found, and what a wrong question is told."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.api.api_requests import Reviewer
from tests.observe.traces.exports import BEGIN, Made, exported
from weft.api.authorizer import Authorizer
from weft.api.builtin_roles import MASTERS
from weft.api.server import DIALECT, build_api
from weft.api.subjects import Subject
from weft.api.weft_traces import trace_routes
from weft.kit.clock import FakeClock
from weft.observe.traces.otlp import spans_of
from weft.observe.traces.store import Traces
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio


@pytest.fixture
def traces() -> Traces:
    return Traces(None)


@pytest_asyncio.fixture
async def client(traces: Traces, store: MemoryStore, reviewer: Reviewer) -> AsyncIterator[httpx2.AsyncClient]:
    for number in range(1, 4):
        web = Made("web", 1, trace=number, duration=5_000 * number)
        reviews = Made("reviews", 2, 1, "GET /reviews", 10, 1_000, number == 3, number, {"path": f"/{number}"})
        traces.take(*spans_of(exported(web, reviews), ""))

    async def authenticate(token: str) -> Subject | None:
        return {"root": Subject(name="root", groups=(MASTERS,)), "jane": Subject(name="jane", groups=())}.get(token)

    authorizer = Authorizer(store, DIALECT.kinds)
    clock = FakeClock(BEGIN / 1e6 + 60)
    routes = trace_routes(traces, authorizer, clock)
    app = build_api(
        store=store,
        review=reviewer,
        authenticate=authenticate,
        authorizer=authorizer,
        extra_routes=routes,
        clock=clock,
    )
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="https://127.0.0.1/weft/v1") as opened:
        opened.headers["Authorization"] = "Bearer root"
        yield opened


async def _ids(client: httpx2.AsyncClient, **parameters: Any) -> list[int]:
    response = await client.get("/traces", params=parameters)
    assert response.status_code == 200, response.text
    return sorted(int(one["id"], 16) for one in response.json()["items"])


async def test_traces_are_searched_read_and_compared(client: httpx2.AsyncClient):
    assert await _ids(client) == [1, 2, 3]
    assert await _ids(client, error="true") == [3]
    assert await _ids(client, tag="path=/2") == [2]
    assert await _ids(client, minMilliseconds=9) == [2, 3]
    assert await _ids(client, sinceSeconds=30) == []
    assert await _ids(client, untilSeconds=61) == []
    found = (await client.get(f"/traces/{3:032x}")).json()
    assert found["trace"]["duration"] == 15_000
    assert [(span["service"], span["kind"], span["error"]) for span in found["spans"]] == [
        ("web", "server", False),
        ("reviews", "server", True),
    ]
    beside = (await client.get(f"/traces/{3:032x}/comparison")).json()["spans"]
    assert [(one["peers"], one["slow"]) for one in beside] == [(2, True), (2, False)]
    edges = (await client.get("/traces/dependencies")).json()
    assert edges["items"] == [{"caller": "web", "callee": "reviews", "calls": 3, "errors": 1}]
    assert (await client.get("/traces/services")).json() == {"items": ["reviews", "web"]}


async def test_traces_are_told_apart_by_who_takes_part(traces: Traces, client: httpx2.AsyncClient):
    traces.take(*spans_of(exported(Made("web.shop", 1, trace=7), Made("cart.other", 2, 1, trace=7)), ""))
    traces.take(*spans_of(exported(Made("web.shop", 1, trace=8)), ""))
    assert await _ids(client, namespace="shop") == [7, 8]
    assert await _ids(client, namespace="other") == [7]
    assert await _ids(client, namespace="sho") == []
    assert await _ids(client, among=["cart.other", "gone.shop"]) == [7]
    assert await _ids(client, among=["cart.other"], namespace="shop") == [7]
    assert await _ids(client, among=["gone.shop"]) == []
    traces.take(*spans_of(exported(Made("cart", 1, trace=9, tags={"service.namespace": "third"})), ""))
    assert await _ids(client, namespace="third") == await _ids(client, among=["cart.third"]) == [9]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/traces?limit=many", 400),
        ("/traces?limit=501", 400),
        ("/traces?sinceSeconds=-1", 400),
        ("/traces?minMilliseconds=nan", 400),
        ("/traces?tag=novalue", 400),
        ("/traces/xyz", 400),
        (f"/traces/{99:032x}", 404),
    ],
)
async def test_wrong_questions_are_told_why(client: httpx2.AsyncClient, path: str, status: int):
    response = await client.get(path)
    assert response.status_code == status
    assert response.json()["message"]


@pytest.mark.parametrize(
    "path", ["/traces", "/traces/services", "/traces/dependencies", f"/traces/{3:032x}", f"/traces/{3:032x}/comparison"]
)
async def test_who_has_no_role_reads_no_traces(client: httpx2.AsyncClient, path: str):
    client.headers["Authorization"] = "Bearer jane"
    assert (await client.get(path)).status_code == 403
