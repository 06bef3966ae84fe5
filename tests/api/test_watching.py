"""Health, objectives, alerts and events: of namespaces, only those are shown that the asker may look into."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.api.api_requests import Reviewer
from tests.slo.test_budget import objective
from weft.api.authorizer import Authorizer
from weft.api.builtin_roles import MASTERS
from weft.api.permissions import Scope
from weft.api.server import DIALECT, build_api
from weft.api.subjects import Subject
from weft.api.weft_events import as_documents, event_routes
from weft.api.weft_health import Shown, health_routes
from weft.api.weft_slo import slo_routes
from weft.kit.clock import FakeClock
from weft.model.alert import Alert
from weft.model.document import Key
from weft.model.event import Event, Kind
from weft.model.health import Check, Level
from weft.observe.happenings import Happenings
from weft.slo.budget import Standing
from weft.slo.counting import Share
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio
SPACES = ("shop", "bank", "")
PATHS = ("/slos", "/alerts", "/events?sinceSeconds=3600", "/events?after=0")


def alert(namespace: str) -> Alert:
    return Alert(
        id=f"x:{namespace}", kind="slo", name="X", severity="page", summary="it burns", since=1.0, namespace=namespace
    )


def standing(namespace: str) -> Standing:
    found = objective()
    key = Key(group="openslo", kind="SLO", namespace=namespace, name="reviews")
    moved = type(found)(**{name: getattr(found, name) for name in found.__struct_fields__} | {"key": key})
    return Standing(objective=moved, at=0.0, shares=((found.window, Share(100, 1)),))


def checks(shown: Shown) -> Iterator[Check]:
    yield Check(name="all", group="control plane", level=Level.OK, message="well")
    for namespace in ("shop", "bank"):
        if shown("proxies", namespace):
            yield Check(name="p", group="proxies", level=Level.FAIL, message="no", help="do", namespace=namespace)


@pytest_asyncio.fixture
async def client(store: MemoryStore, reviewer: Reviewer) -> AsyncIterator[httpx2.AsyncClient]:
    clock = FakeClock()
    happenings = Happenings(None, clock)
    for space in SPACES:
        happenings.note(Event(at=0.0, kind=Kind.PROXY, reason="Lost", message=f"lost in {space}", namespace=space))

    async def authenticate(token: str) -> Subject | None:
        return {
            "root": Subject(name="root", groups=(MASTERS,)),
            "shopper": Subject(name="root", groups=(MASTERS,), scope=Scope(namespaces=("shop",))),
            "jane": Subject(name="jane", groups=("system:authenticated",)),
        }.get(token)

    authorizer = Authorizer(store, DIALECT.kinds)
    app = build_api(
        store=store,
        review=reviewer,
        authenticate=authenticate,
        authorizer=authorizer,
        extra_routes=(
            *health_routes(checks, "1", authorizer),
            *slo_routes(lambda: tuple(map(standing, ("shop", "bank"))), lambda: tuple(map(alert, SPACES)), authorizer),
            *event_routes(happenings, authorizer, clock),
        ),
        clock=clock,
        events=as_documents(happenings.newest),
    )
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="https://127.0.0.1/weft/v1") as opened:
        yield opened


async def ask(client: httpx2.AsyncClient, path: str, who: str) -> Any:
    answer = await client.get(path, headers={"Authorization": f"Bearer {who}"})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("path", PATHS)
async def test_everybody_sees_what_is_of_their_namespaces_alone(client: httpx2.AsyncClient, path: str):
    seen = {
        who: {one["namespace"] for one in (await ask(client, path, who))["items"]}
        for who in ("root", "shopper", "jane")
    }
    assert seen["root"] >= {"shop", "bank"}
    assert seen["shopper"] == {"shop"}
    assert seen["jane"] == set()


async def test_health_of_the_control_plane_is_for_everybody_and_of_namespaces_for_theirs(client: httpx2.AsyncClient):
    root, jane = await ask(client, "/health", "root"), await ask(client, "/health", "jane")
    assert (root["state"], len(root["checks"])) == ("fail", 3)
    assert (jane["state"], [one["name"] for one in jane["checks"]]) == ("ok", ["all"])


@pytest.mark.parametrize("path", [*PATHS, "/health"])
async def test_a_stranger_is_told_nothing(client: httpx2.AsyncClient, path: str):
    assert (await client.get(path)).status_code == 401


async def test_an_objective_has_its_budget_and_burn_rates(client: httpx2.AsyncClient):
    one = (await ask(client, "/slos?namespace=shop", "root"))["items"][0]
    assert (one["calls"], one["bad"], one["sli"], one["window"], one["state"]) == (100, 1, 0.99, "30d", "met")
    assert one["budgetLeft"] == pytest.approx(0.0, abs=1e-9)


async def test_kubernetes_clients_read_the_same_events(client: httpx2.AsyncClient):
    base = "https://127.0.0.1/api/v1"
    every = (await ask(client, f"{base}/events", "root"))["items"]
    assert {(one["metadata"]["namespace"], one["message"]) for one in every} == {
        ("shop", "lost in shop"),
        ("bank", "lost in bank"),
        ("default", "lost in "),
    }
    shop = (await ask(client, f"{base}/namespaces/shop/events?fieldSelector=reason=Lost", "shopper"))["items"]
    assert [one["message"] for one in shop] == ["lost in shop"]
    none = (await ask(client, f"{base}/namespaces/shop/events?fieldSelector=reason=Found", "shopper"))["items"]
    assert none == []
    refused = await client.get(f"{base}/events", headers={"Authorization": "Bearer jane"})
    assert refused.status_code == 403


@pytest.mark.parametrize("query", ["type=party", "sinceSeconds=x", "after=soon", "limit=-1"])
async def test_a_question_that_is_none_is_refused(client: httpx2.AsyncClient, query: str):
    answer = await client.get(f"/events?{query}", headers={"Authorization": "Bearer root"})
    assert answer.status_code == 400
