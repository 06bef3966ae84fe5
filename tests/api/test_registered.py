"""What the registry writes is found by labels, as any document is."""

from typing import Any

import httpx2
import pytest

from weft.kit.clock import FakeClock
from weft.model.identity import Identity
from weft.registry.registration import RegisteredPort, Registration
from weft.registry.registry import Registry
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio

ENTRIES = "/apis/networking.istio.io/v1/namespaces/shop/workloadentries"


async def register(store: MemoryStore, clock: FakeClock, name: str, service: str, **said: Any) -> None:
    identity = Identity(trust_domain="cluster.local", namespace="shop", account=service)
    ports = (RegisteredPort(port=9080, bind_port=21_001),)
    await Registry(store, clock).register(
        name, Registration(service=service, address="127.0.0.1", ports=ports, **said), identity
    )


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("app=reviews", ["reviews-1", "reviews-2"]),
        ("app=reviews,version=v2", ["reviews-2"]),
        ("app!=reviews", ["ratings-1"]),
        ("team in (books)", ["ratings-1"]),
        ("app.kubernetes.io/managed-by=weft", ["ratings-1", "reviews-1", "reviews-2"]),
    ],
)
async def test_workloads_are_selected_by_their_labels(
    client: httpx2.AsyncClient, store: MemoryStore, clock: FakeClock, selector: str, names: list[str]
) -> None:
    await register(store, clock, "reviews-1", "reviews", version="v1")
    await register(store, clock, "reviews-2", "reviews", version="v2")
    await register(store, clock, "ratings-1", "ratings", labels={"team": "books"})
    found = (await client.get(ENTRIES, params={"labelSelector": selector})).json()["items"]
    assert [item["metadata"]["name"] for item in found] == names


async def test_the_service_of_a_workload_is_selected_too(
    client: httpx2.AsyncClient, store: MemoryStore, clock: FakeClock
) -> None:
    await register(store, clock, "reviews-1", "reviews")
    found = await client.get("/api/v1/services", params={"labelSelector": "app=reviews"})
    assert [item["metadata"]["name"] for item in found.json()["items"]] == ["reviews"]
