"""The service graph over HTTP: of the namespaces that the asker may look into, with what documents say."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from msgspec.structs import replace

from tests.api.api_requests import Reviewer
from tests.api.test_traffic import BANK, SHOP
from tests.observe.test_traffic import Told, requests
from weft.api.authorizer import Authorizer
from weft.api.builtin_roles import MASTERS
from weft.api.server import DIALECT, build_api
from weft.api.subjects import Subject
from weft.api.weft_graph import graph_routes
from weft.kit.latest import Latest
from weft.model.document import Key, Origin
from weft.model.mesh import Mesh
from weft.model.service import Service
from weft.model.workload import Workload
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio
_ORIGIN = Origin(key=Key(group="", kind="Service", namespace="shop", name="reviews"))


def _mesh() -> Mesh:
    host = "reviews.shop.svc.cluster.local"
    service = Service(host=host, name="reviews", namespace="shop", origin=_ORIGIN, selector=(("app", "reviews"),))
    one = Workload(
        name="reviews-1", namespace="shop", address="127.0.0.1", origin=_ORIGIN, labels=(("app", "reviews"),)
    )
    return Mesh(services={host: service}, workloads=(one, replace(one, name="reviews-2", healthy=False)))


@pytest_asyncio.fixture
async def client(store: MemoryStore, reviewer: Reviewer) -> AsyncIterator[httpx2.AsyncClient]:
    told, latest = Told(), Latest[Mesh]()
    latest.set(_mesh())
    told.tell(requests(SHOP, 97), requests(replace(SHOP, code="500"), 3), requests(BANK, 5))

    async def authenticate(token: str) -> Subject | None:
        return {"root": Subject(name="root", groups=(MASTERS,)), "jane": Subject(name="jane", groups=())}.get(token)

    authorizer = Authorizer(store, DIALECT.kinds)
    app = build_api(
        store=store,
        review=reviewer,
        authenticate=authenticate,
        authorizer=authorizer,
        extra_routes=graph_routes(told.traffic, latest, lambda: (BANK.source.peer,), authorizer),
        clock=told.clock,
    )
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="https://127.0.0.1/weft/v1") as opened:
        opened.headers["Authorization"] = "Bearer root"
        yield opened


async def graph(client: httpx2.AsyncClient, **parameters: str) -> dict[str, Any]:
    response = await client.get("/graph", params=parameters)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def test_nodes_say_how_they_are_and_why(client: httpx2.AsyncClient):
    found = await graph(client, namespace="shop")
    reviews, web = found["nodes"]
    assert (reviews["id"], web["id"]) == ("service/shop/reviews", "service/shop/web")
    assert (reviews["requests"], reviews["errors"], reviews["health"]) == (100, 3, "degraded")
    assert reviews["endpoints"] == {"total": 2, "healthy": 1, "draining": 0}
    assert reviews["reasons"] == ["3.0% of calls failed", "1 of 2 instances are healthy"]
    assert [(one["source"], one["target"], one["codes"]) for one in found["edges"]] == [
        ("service/shop/web", "service/shop/reviews", {"200": 97, "500": 3})
    ]


async def test_connected_gateways_are_known(client: httpx2.AsyncClient):
    assert [one["kind"] for one in (await graph(client, namespace="bank"))["nodes"]] == ["gateway", "service"]


async def test_a_service_is_shown_with_those_beside_it(client: httpx2.AsyncClient):
    assert {one["name"] for one in (await graph(client, service="web"))["nodes"]} == {"web", "reviews"}
    assert (await graph(client, service="nobody"))["nodes"] == []
    for level in ("version", "workload"):
        assert len((await graph(client, service="web", by=level))["nodes"]) > 1, "its parts stand for it"


async def test_who_may_look_nowhere_sees_nothing(client: httpx2.AsyncClient):
    client.headers["Authorization"] = "Bearer jane"
    assert (await graph(client))["edges"] == []


async def test_a_wrong_level_is_told_so(client: httpx2.AsyncClient):
    response = await client.get("/graph", params={"by": "colour"})
    assert response.status_code == 400
    assert "service, workload or version" in response.text
