"""Workloads become documents, keep a lease, and touch nothing that is not theirs."""

import json
from typing import Any

import pytest

from weft.kit.clock import FakeClock
from weft.model.document import Document, Key
from weft.model.identity import Identity
from weft.registry.documents import entry_key, service_key
from weft.registry.registration import BadRegistration, Registration, parse_registration
from weft.registry.registry import NotYours, Registry
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio
REVIEWS = Identity(trust_domain="cluster.local", namespace="shop", account="reviews")
RATINGS = Identity(trust_domain="cluster.local", namespace="shop", account="ratings")
ELSEWHERE = Identity(trust_domain="cluster.local", namespace="other", account="reviews")


class Rig:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore(self.clock)
        self.registry = Registry(self.store, self.clock)

    async def entry(self, name: str = "reviews-1", namespace: str = "shop") -> dict[str, Any] | None:
        document = await self.store.read(entry_key(namespace, name))
        return json.loads(document.content) if document else None

    async def service(self, name: str = "reviews") -> dict[str, Any] | None:
        document = await self.store.read(service_key("shop", name))
        return json.loads(document.content) if document else None

    async def beat(self, seconds: float, name: str = "reviews-1", **said: Any) -> None:
        """Pass time in the registry's own steps, then hear a heartbeat."""
        await self.pass_time(seconds)
        await self.registry.register(name, said_of(**said), REVIEWS)

    async def pass_time(self, seconds: float) -> tuple[Key, ...]:
        gone: tuple[Key, ...] = ()
        for _ in range(int(seconds)):
            self.clock.advance(1)
            gone += await self.registry.reap()
        return gone


@pytest.fixture
def rig() -> Rig:
    return Rig()


def said_of(**changes: Any) -> Registration:
    body: dict[str, Any] = {
        "service": "reviews",
        "version": "v2",
        "address": "127.0.0.1",
        "ports": [{"port": 9080, "bind_port": 21001, "protocol": "http"}],
    }
    return parse_registration(json.dumps(body | changes).encode())


async def test_a_registration_becomes_an_entry_and_a_service(rig: Rig) -> None:
    await rig.registry.register("reviews-1", said_of(labels={"zone": "a"}, weight=3, locality="r/z"), REVIEWS)
    entry = await rig.entry()
    assert entry is not None
    assert entry["spec"] == {
        "address": "127.0.0.1",
        "ports": {"http-9080": 21001},
        "labels": entry["metadata"]["labels"],
        "serviceAccount": "reviews",
        "weight": 3,
        "locality": "r/z",
    }
    assert entry["metadata"]["labels"] == {
        "app": "reviews",
        "version": "v2",
        "zone": "a",
        "security.istio.io/tlsMode": "istio",
        "app.kubernetes.io/managed-by": "weft",
    }
    service = await rig.service()
    assert service is not None
    assert service["spec"]["selector"] == {"app": "reviews"}
    assert service["spec"]["ports"] == [{"name": "http-9080", "port": 9080, "protocol": "TCP", "appProtocol": "http"}]


async def test_heartbeats_write_nothing(rig: Rig) -> None:
    await rig.beat(0)
    revision = await rig.store.revision()
    for _ in range(20):
        await rig.beat(5)
    assert await rig.store.revision() == revision


async def test_a_change_of_health_is_one_write_and_moves_its_time(rig: Rig) -> None:
    await rig.beat(0)
    revision = await rig.store.revision()
    before = (await rig.entry() or {})["status"]["conditions"][0]
    await rig.beat(5, healthy=False)
    await rig.beat(5, healthy=False)
    after = (await rig.entry() or {})["status"]["conditions"][0]
    assert await rig.store.revision() == revision + 1
    assert (before["status"], after["status"]) == ("True", "False")
    assert before["lastTransitionTime"] != after["lastTransitionTime"]


async def test_draining_is_unhealthy_at_once(rig: Rig) -> None:
    await rig.beat(0)
    await rig.beat(1, drain=True)
    condition = (await rig.entry() or {})["status"]["conditions"][0]
    assert (condition["status"], condition["reason"]) == ("False", "Draining")


async def test_flapping_says_how_often_and_until_when_and_is_one_write(rig: Rig) -> None:
    await rig.beat(0, healthy=False, flapping=True, ill_times=4, held_until=1_700_000_005)
    revision = await rig.store.revision()
    await rig.beat(5, healthy=False, flapping=True, ill_times=4, held_until=1_700_000_005)
    condition = (await rig.entry() or {})["status"]["conditions"][0]
    assert await rig.store.revision() == revision
    assert (condition["status"], condition["reason"]) == ("False", "Flapping")
    assert condition["message"] == "ill 4 times of late, called again at 2023-11-14T22:13:25Z"
    await rig.beat(5)
    assert (await rig.entry() or {})["status"]["conditions"][0].keys() == {"type", "status", "lastTransitionTime"}


async def test_a_silent_workload_is_removed_after_its_lease(rig: Rig) -> None:
    await rig.beat(0)
    await rig.pass_time(14)
    assert await rig.entry() is not None
    assert await rig.pass_time(1) == (entry_key("shop", "reviews-1"),)
    assert await rig.entry() is None
    assert await rig.service() is not None, "a service outlives its last workload"


async def test_after_a_restart_everybody_has_a_whole_lease(rig: Rig) -> None:
    await rig.beat(0)
    rig.clock.advance(3600)
    rig.registry = Registry(rig.store, rig.clock)
    await rig.registry.recover()
    await rig.pass_time(14)
    assert await rig.entry() is not None
    await rig.pass_time(1)
    assert await rig.entry() is None


async def test_a_registry_that_was_stopped_blames_itself(rig: Rig) -> None:
    await rig.beat(0)
    rig.clock.advance(60)
    assert await rig.registry.reap() == ()
    assert await rig.entry() is not None


async def test_deregistering_twice_is_no_error(rig: Rig) -> None:
    await rig.beat(0)
    await rig.registry.deregister("reviews-1", REVIEWS)
    await rig.registry.deregister("reviews-1", REVIEWS)
    assert await rig.entry() is None


async def test_another_account_can_neither_overwrite_nor_remove(rig: Rig) -> None:
    await rig.beat(0)
    revision = await rig.store.revision()
    with pytest.raises(NotYours):
        await rig.registry.register("reviews-1", said_of(address="127.0.0.9"), RATINGS)
    with pytest.raises(NotYours):
        await rig.registry.deregister("reviews-1", RATINGS)
    assert await rig.store.revision() == revision


async def test_the_namespace_is_always_the_callers(rig: Rig) -> None:
    await rig.beat(0)
    await rig.registry.register("reviews-1", said_of(address="127.0.0.9"), ELSEWHERE)
    assert (await rig.entry() or {})["spec"]["address"] == "127.0.0.1"
    assert (await rig.entry(namespace="other") or {})["spec"]["address"] == "127.0.0.9"
    await rig.registry.deregister("reviews-1", ELSEWHERE)
    assert await rig.entry() is not None


async def test_what_a_user_wrote_is_never_touched(rig: Rig) -> None:
    for key in (entry_key("shop", "reviews-1"), service_key("shop", "reviews")):
        content = {"metadata": {"name": key.name}, "spec": {"serviceAccount": "reviews", "ports": []}}
        await rig.store.create(Document(key=key, content=json.dumps(content).encode()))
    with pytest.raises(NotYours):
        await rig.registry.register("reviews-1", said_of(), REVIEWS)
    await rig.registry.register("reviews-2", said_of(), REVIEWS)
    assert (await rig.service() or {})["spec"]["ports"] == []


async def test_a_second_version_adds_its_ports_and_changes_none(rig: Rig) -> None:
    await rig.beat(0)
    ports = [
        {"port": 9080, "bind_port": 21002, "protocol": "tcp"},
        {"port": 9443, "bind_port": 21003, "protocol": "grpc", "name": "admin"},
    ]
    await rig.beat(0, name="reviews-2", ports=ports)
    service = await rig.service()
    assert service is not None
    assert [(port["name"], port["appProtocol"]) for port in service["spec"]["ports"]] == [
        ("http-9080", "http"),
        ("admin", "grpc"),
    ]


async def test_reserved_labels_cannot_be_forged(rig: Rig) -> None:
    labels = {"app": "ratings", "app.kubernetes.io/managed-by": "me", "security.istio.io/tlsMode": "disabled"}
    await rig.registry.register("reviews-1", said_of(labels=labels), REVIEWS)
    stored = (await rig.entry() or {})["metadata"]["labels"]
    assert stored["app"] == "reviews"
    assert stored["app.kubernetes.io/managed-by"] == "weft"
    assert stored["security.istio.io/tlsMode"] == "istio"


@pytest.mark.parametrize(
    "changes",
    [
        {"service": "Reviews"},
        {"service": "../x"},
        {"service": "x" * 64},
        {"address": "reviews.example"},
        {"address": "0.0.0.0"},
        {"address": "224.0.0.1"},
        {"labels": {"a": "line\nbreak"}},
        {"labels": {"": "x"}},
        {"labels": {f"l{number}": "x" for number in range(65)}},
        {"ports": [{"port": 0, "bind_port": 1}]},
        {"ports": [{"port": 1, "bind_port": 70_000}]},
        {"ports": [{"port": 1, "bind_port": 1, "protocol": "smtp"}]},
        {"ports": [{"port": 1, "bind_port": 1}, {"port": 1, "bind_port": 2}]},
        {"weight": -1},
        {"namespace": "other"},
        {"healthy": "yes"},
    ],
)
async def test_a_malformed_registration_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadRegistration):
        said_of(**changes)


@pytest.mark.parametrize("name", ["", "a/b", "..", "A", "x" * 254, "a\n"])
async def test_a_name_that_no_document_can_have_is_refused(rig: Rig, name: str) -> None:
    with pytest.raises(BadRegistration):
        await rig.registry.register(name, said_of(), REVIEWS)
    assert await rig.store.revision() == 0
