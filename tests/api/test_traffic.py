"""Questions about traffic: signals and edges of the namespaces that the asker may look into."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from msgspec.structs import replace

from tests.api.api_requests import Reviewer
from tests.observe.test_traffic import CALLS, Told, requests
from weft.api.authorizer import Authorizer
from weft.api.builtin_roles import MASTERS
from weft.api.server import DIALECT, build_api
from weft.api.subjects import Subject
from weft.api.weft_traffic import traffic_routes
from weft.kit.latest import Latest
from weft.model.document import Key, Origin
from weft.model.mesh import Mesh
from weft.model.reporting import peer_of
from weft.model.series import End
from weft.model.service import Service
from weft.model.workload import Workload
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio
SHOP = replace(CALLS, service="reviews.shop.svc.cluster.local")
BANK = replace(
    CALLS,
    service="vault.bank.svc.cluster.local",
    source=End(peer=peer_of("teller-1", "bank", (("app", "teller"),))),
    destination=End(peer=peer_of("vault-1", "bank", (("app", "vault"),))),
)


def _mesh() -> Mesh:
    host, origin = SHOP.service, Origin(key=Key(kind="Service", namespace="shop", name="reviews"))
    service = Service(host=host, name="reviews", namespace="shop", origin=origin, selector=(("app", "reviews"),))
    labels = (("app", "reviews"), ("version", "v1"))
    one = Workload(name="reviews-1", namespace="shop", address="127.0.0.1", origin=origin, labels=labels)
    goes = replace(one, name="reviews-2", healthy=False, reason="Draining")
    return Mesh(services={host: service}, workloads=(one, goes))


@pytest_asyncio.fixture
async def client(store: MemoryStore, reviewer: Reviewer) -> AsyncIterator[httpx2.AsyncClient]:
    told, latest = Told(), Latest[Mesh]()
    latest.set(_mesh())
    clock, traffic = told.clock, told.traffic
    told.tell(
        requests(SHOP, 90),
        requests(replace(SHOP, route="canary"), 7),
        requests(replace(SHOP, code="500"), 3),
        requests(BANK, 5),
    )
    told.tell((SHOP, "duration", 100, 1.0, ((100, 100),)))

    async def authenticate(token: str) -> Subject | None:
        return {"root": Subject(name="root", groups=(MASTERS,)), "jane": Subject(name="jane", groups=())}.get(token)

    authorizer = Authorizer(store, DIALECT.kinds)
    app = build_api(
        store=store,
        review=reviewer,
        authenticate=authenticate,
        authorizer=authorizer,
        extra_routes=traffic_routes(traffic, latest, authorizer),
        clock=clock,
    )
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="https://127.0.0.1/weft/v1") as opened:
        opened.headers["Authorization"] = "Bearer root"
        yield opened


async def items(client: httpx2.AsyncClient, path: str, **parameters: str) -> list[dict[str, Any]]:
    response = await client.get(path, params=parameters)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["items"]
    return found


async def test_signals_are_exact_by_service(client: httpx2.AsyncClient):
    (reviews,) = await items(client, "/stat", namespace="shop")
    assert (reviews["name"], reviews["requests"], reviews["errors"], reviews["success"]) == ("reviews", 100, 3, 0.97)
    assert reviews["mutualTls"] == 1.0
    assert reviews["latency"]["p50"] > 0


@pytest.mark.parametrize("by", ["service", "workload"])
async def test_signals_of_now_say_how_many_instances_answer_and_are_about_to_end(client: httpx2.AsyncClient, by: str):
    (reviews,) = await items(client, "/stat", namespace="shop", by=by)
    assert reviews["endpoints"] == {"total": 2, "healthy": 1, "draining": 1}
    now = (await client.get("/stat")).json()["end"]
    (before,) = await items(client, "/stat", namespace="shop", by=by, at=str(now))
    assert "endpoints" not in before


@pytest.mark.parametrize(
    ("by", "names"),
    [("workload", ["vault", "reviews-v1"]), ("namespace", ["bank", "shop"]), ("service", ["vault", "reviews"])],
)
async def test_signals_are_summed_by_what_is_asked(client: httpx2.AsyncClient, by: str, names: list[str]):
    assert [one["name"] for one in await items(client, "/stat", by=by)] == names


async def test_signals_and_edges_are_told_apart_by_the_rule_that_sent_the_calls(client: httpx2.AsyncClient):
    rows = await items(client, "/stat", by="route", namespace="shop")
    assert [(one["name"], one["route"], one["requests"]) for one in rows] == [
        ("reviews", "", 93),
        ("reviews", "canary", 7),
    ]
    edges = await items(client, "/edges", by="route", namespace="shop")
    assert [(one["route"], one["requests"]) for one in edges] == [("", 93), ("canary", 7)]


async def test_edges_name_both_sides_and_their_codes(client: httpx2.AsyncClient):
    (edge,) = await items(client, "/edges", namespace="shop")
    assert (edge["source"]["workload"], edge["destination"]["workload"]) == ("web-v1", "reviews-v1")
    assert (edge["security"], edge["codes"]) == ("mutual_tls", {"200": 97, "500": 3})


async def test_a_window_of_the_past_is_asked_by_its_end(client: httpx2.AsyncClient):
    now = (await client.get("/stat")).json()["end"]
    assert len(await items(client, "/edges", window="3600", at=str(now))) == 2
    assert await items(client, "/edges", window="3600", at=str(now - 60)) == []


@pytest.mark.parametrize("path", ["/stat", "/edges"])
async def test_who_may_not_look_into_a_namespace_sees_nothing_of_it(client: httpx2.AsyncClient, path: str):
    assert await items(client, path)
    client.headers["Authorization"] = "Bearer jane"
    assert await items(client, path) == []


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/stat", {"by": "colour"}),
        ("/stat", {"window": "0"}),
        ("/edges", {"window": "nan"}),
        ("/edges", {"window": "2592001"}),
        ("/stat", {"at": "yesterday"}),
        ("/stat", {"at": "-1"}),
        ("/edges", {"window": "x"}),
    ],
)
async def test_a_wrong_question_is_told_so(client: httpx2.AsyncClient, path: str, parameters: dict[str, str]):
    assert (await client.get(path, params=parameters)).status_code == 400
