"""Virtual addresses of Services as clients of the API see them."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.api.api_requests import Reviewer
from tests.api.conftest import TOKEN, authenticate
from weft.api.server import build_api
from weft.dialects.translate import completed_document
from weft.kit.clock import FakeClock
from weft.model.identity import Identity
from weft.registry.registration import RegisteredPort, Registration
from weft.registry.registry import Registry
from weft.store.addressed import addressed
from weft.store.memory import MemoryStore
from weft.store.source import Store

pytestmark = pytest.mark.asyncio

SERVICES = "/api/v1/namespaces/shop/services"


@pytest_asyncio.fixture
async def stored() -> Store:
    return await addressed(MemoryStore(FakeClock()), completed_document)


@pytest_asyncio.fixture
async def api(stored: Store) -> AsyncIterator[httpx2.AsyncClient]:
    app = build_api(store=stored, review=Reviewer(), authenticate=authenticate, clock=FakeClock())
    headers = {"Authorization": f"Bearer {TOKEN}", "User-Agent": "tests/1"}
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="https://127.0.0.1", headers=headers) as opened:
        yield opened


def service(**spec: Any) -> dict[str, Any]:
    content = {"selector": {"app": "web"}, "ports": [{"port": 80, "name": "http"}]} | spec
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": content}


async def test_who_creates_a_service_is_told_its_address(api: httpx2.AsyncClient) -> None:
    created = (await api.post(SERVICES, json=service())).json()
    assert created["spec"]["clusterIP"].startswith("240.241.")


async def test_replacing_a_service_without_its_address_changes_nothing(api: httpx2.AsyncClient) -> None:
    created = (await api.post(SERVICES, json=service())).json()
    again = (await api.put(f"{SERVICES}/web", json=service())).json()
    assert again["spec"] == created["spec"]
    assert again["metadata"].get("generation") == created["metadata"].get("generation")
    assert again["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]


async def test_a_service_that_becomes_external_loses_its_address(api: httpx2.AsyncClient) -> None:
    await api.post(SERVICES, json=service())
    changed = (await api.put(f"{SERVICES}/web", json=service(type="ExternalName", externalName="a.example"))).json()
    assert "clusterIP" not in changed["spec"]


async def test_what_the_registry_writes_is_complete_and_written_once(stored: Store, api: httpx2.AsyncClient) -> None:
    registry = Registry(stored, FakeClock())
    said = Registration(service="web", address="127.0.0.1", ports=(RegisteredPort(port=80, bind_port=21_001),))
    caller = Identity(trust_domain="cluster.local", namespace="shop", account="web")
    await registry.register("web-1", said, caller)
    spec = (await api.get(f"{SERVICES}/web")).json()["spec"]
    assert spec["clusterIP"].startswith("240.241.")
    assert (spec["sessionAffinity"], spec["ports"][0]["targetPort"]) == ("None", 80)
    revision = await stored.revision()
    await registry.register("web-1", said, caller)
    assert await stored.revision() == revision
