"""Virtual addresses: who gets one, that it stays, and that nobody else has it."""

from ipaddress import ip_address
from typing import Any

import msgspec
import pytest

from weft.dialects.translate import completed_document
from weft.kit.clock import FakeClock
from weft.model.document import Document, Key
from weft.store.addressed import addressed
from weft.store.memory import MemoryStore
from weft.store.source import Store, StoreUnavailable
from weft.store.virtual_addresses import ENTRIES, SERVICES, AddressBook

pytestmark = pytest.mark.asyncio

PORTS = [{"port": 80, "name": "http"}]


def service(name: str = "web", namespace: str = "shop", **spec: Any) -> Document:
    return _document(Key(kind="Service", namespace=namespace, name=name), {"ports": PORTS} | spec)


def entry(name: str = "out", *, labels: dict[str, str] | None = None, **spec: Any) -> Document:
    key = Key(group="networking.istio.io", kind="ServiceEntry", namespace="shop", name=name)
    return _document(key, {"hosts": ["a.example"], "resolution": "DNS", "ports": PORTS} | spec, labels)


def _document(key: Key, spec: dict[str, Any], labels: dict[str, str] | None = None) -> Document:
    metadata = {"name": key.name, "namespace": key.namespace, "labels": labels or {}}
    return Document(key=key, content=msgspec.json.encode({"metadata": metadata, "spec": spec}))


async def opened(inner: Store | None = None) -> Store:
    return await addressed(inner or MemoryStore(FakeClock()), completed_document)


def spec(document: Document) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(document.content)["spec"]
    return found


def status(document: Document) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(document.content).get("status", {})
    return found


async def test_a_service_gets_an_address_and_what_an_api_server_adds() -> None:
    made = spec(await (await opened()).create(service()))
    assert ip_address(made["clusterIP"]) in SERVICES
    assert made["clusterIPs"] == [made["clusterIP"]]
    assert (made["ipFamilies"], made["ipFamilyPolicy"], made["type"]) == (["IPv4"], "SingleStack", "ClusterIP")
    assert made["ports"] == [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 80}]


@pytest.mark.parametrize(
    "given",
    [{"clusterIP": "None"}, {"type": "ExternalName", "externalName": "a.b"}],
    ids=["headless", "external"],
)
async def test_a_service_that_wants_none_gets_none(given: dict[str, Any]) -> None:
    made = spec(await (await opened()).create(service(**given)))
    assert made.get("clusterIP") == given.get("clusterIP")
    assert "ipFamilies" not in made


async def test_an_address_that_is_asked_for_is_given() -> None:
    store = await opened()
    made = spec(await store.create(service(clusterIP="10.1.2.3")))
    assert (made["clusterIP"], made["clusterIPs"]) == ("10.1.2.3", ["10.1.2.3"])


async def test_a_service_keeps_its_address_when_its_writer_leaves_it_out() -> None:
    store = await opened()
    asked = await store.create(service(clusterIP="10.1.2.3"))
    kept = await store.replace(service(selector={"app": "web"}), asked.revision)
    assert spec(kept)["clusterIP"] == "10.1.2.3"


async def test_the_same_name_has_the_same_address_in_a_mesh_that_is_made_anew() -> None:
    first, second = await opened(), await opened()
    await second.create(service("other"))
    assert spec(await first.create(service())) == spec(await second.create(service()))


async def test_no_two_services_share_an_address() -> None:
    store = await opened()
    made = [spec(await store.create(service(f"s{number}")))["clusterIP"] for number in range(600)]
    assert len(set(made)) == 600


async def test_an_address_that_is_taken_is_passed_over_and_free_again_later() -> None:
    wanted = spec(await (await opened()).create(service()))["clusterIP"]
    store = await opened()
    thief = await store.create(service("thief", clusterIP=wanted))
    passed = spec(await store.create(service()))["clusterIP"]
    assert passed != wanted
    await store.delete(thief.key, None)
    await store.delete(service().key, None)
    assert spec(await store.create(service()))["clusterIP"] == wanted


async def test_addresses_outlive_a_restart_also_where_names_would_give_others() -> None:
    inner = MemoryStore(FakeClock())
    store = await opened(inner)
    wanted = spec(await (await opened()).create(service()))["clusterIP"]
    thief = await store.create(service("thief", clusterIP=wanted))
    passed = spec(await store.create(service()))["clusterIP"]
    await store.delete(thief.key, None)
    again = await opened(inner)
    kept = await again.replace(service(selector={"a": "b"}), None)
    assert spec(kept)["clusterIP"] == passed


async def test_what_was_stored_without_addresses_gets_them_at_the_start() -> None:
    inner = MemoryStore(FakeClock())
    await inner.create(service())
    await inner.create(entry())
    revision = await inner.revision()
    store = await opened(inner)
    found = await store.read(service().key)
    assert found is not None
    assert "clusterIP" in spec(found)
    assert await store.revision() == revision + 2
    await opened(inner)
    assert await store.revision() == revision + 2


async def test_a_store_that_cannot_write_is_opened_all_the_same() -> None:
    inner = MemoryStore(FakeClock())
    await inner.create(service())
    await inner.close()
    store = await opened(inner)
    assert await store.read(service().key) is not None
    with pytest.raises(StoreUnavailable):
        await store.create(service("more"))


async def test_an_entry_gets_an_address_of_each_family_for_each_host() -> None:
    found = status(await (await opened()).create(entry(hosts=["a.example", "*.b.example", "c.example"])))["addresses"]
    assert [one["host"] for one in found] == ["a.example", "a.example", "c.example", "c.example"]
    for one, network in zip(found, ENTRIES * 2, strict=True):
        assert ip_address(one["value"]) in network


@pytest.mark.parametrize(
    "given",
    [
        {"addresses": ["10.0.0.1"]},
        {"resolution": "NONE"},
        {"hosts": ["*.example"]},
        {"labels": {"networking.istio.io/enable-autoallocate-ip": "false"}},
    ],
)
async def test_an_entry_that_needs_no_address_gets_none(given: dict[str, Any]) -> None:
    assert status(await (await opened()).create(entry(**given))) == {}


async def test_entries_of_a_namespace_share_the_address_of_a_host() -> None:
    store = await opened()
    first, second = await store.create(entry()), await store.create(entry("more"))
    assert status(first) == status(second)
    await store.delete(first.key, None)
    third = await store.create(entry("third"))
    assert status(third) == status(second)


async def test_an_entry_keeps_its_addresses_and_what_else_is_said_of_it() -> None:
    store = await opened()
    made = await store.create(entry())
    content = msgspec.json.decode(made.content)
    content["status"] = {"conditions": [{"type": "Accepted"}]}
    content["spec"]["hosts"] = ["z.example", "a.example"]
    kept = await store.replace(msgspec.structs.replace(made, content=msgspec.json.encode(content)), None)
    assert status(kept)["conditions"] == [{"type": "Accepted"}]
    assert status(kept)["addresses"][2:] == status(made)["addresses"]


async def test_an_entry_loses_its_addresses_when_it_has_some_of_its_own() -> None:
    store = await opened()
    await store.create(entry())
    assert status(await store.replace(entry(addresses=["10.0.0.1"]), None)) == {}


async def test_documents_that_are_no_json_or_of_other_kinds_are_left_alone() -> None:
    store = await opened()
    broken = Document(key=service("broken").key, content=b"{")
    assert (await store.create(broken)).content == b"{"
    other = _document(Key(kind="ConfigMap", namespace="shop", name="x"), {"a": 1})
    assert (await store.create(other)).content == other.content


async def test_a_full_range_gives_no_address() -> None:
    book = AddressBook()
    for number in range(1, 65_535):
        book.note(Key(kind="Service", name=str(number)), {str(number): (str(SERVICES[number]),)})
    assert book.addresses_of("one more", (SERVICES,)) == ()
