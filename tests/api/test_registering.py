"""What workloads create by registering counts like what people create."""

import asyncio
import json

import pytest

from weft.api.quotas import Quotas
from weft.api.registering import room_by_quotas
from weft.dialects.translate import KINDS
from weft.kit.clock import FakeClock
from weft.model.document import Document, Key
from weft.model.identity import Identity
from weft.registry.documents import entry_key, service_key
from weft.registry.registration import parse_registration
from weft.registry.registry import NoRoom, Registry
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio
ENTRIES = "count/workloadentries.networking.istio.io"
WEB = Identity(trust_domain="cluster.local", namespace="shop", account="web")


class Rig:
    def __init__(self) -> None:
        self.store = MemoryStore(FakeClock())
        self.registry = Registry(self.store, FakeClock(), room_by_quotas(Quotas(self.store), KINDS, NoRoom))

    async def limit(self, **hard: str) -> None:
        key = Key(kind="ResourceQuota", namespace="shop", name="few")
        spec = {name.replace("entries", ENTRIES): amount for name, amount in hard.items()}
        content = json.dumps({"spec": {"hard": spec}}).encode()
        stored = await self.store.read(key)
        document = Document(key=key, content=content, created="2026-01-01T00:00:00Z")
        await (self.store.replace(document, stored.revision) if stored else self.store.create(document))

    async def register(self, name: str, service: str = "web", port: int = 21001, namespace: str = "shop") -> None:
        ports = [{"port": 80, "bind_port": port, "protocol": "http"}]
        said = {"service": service, "address": "127.0.0.1", "ports": ports}
        caller = Identity(trust_domain="cluster.local", namespace=namespace, account="web")
        await self.registry.register(name, parse_registration(json.dumps(said).encode()), caller)

    async def names(self) -> list[str]:
        found = (await self.store.snapshot()).documents
        return sorted(one.key.name for one in found if one.key.kind != "ResourceQuota")


async def test_a_workload_too_many_is_refused_and_others_go_on() -> None:
    rig = Rig()
    await rig.limit(entries="2")
    await rig.register("web-1")
    await rig.register("web-2")
    with pytest.raises(NoRoom, match=r"workloadentries.* \"web-3\" is forbidden: exceeded quota: few, .*used: .*=2"):
        await rig.register("web-3")
    assert await rig.store.read(entry_key("shop", "web-3")) is None
    await rig.register("web-1", port=21002)
    await rig.register("web-3", namespace="other")
    await rig.registry.deregister("web-2", WEB)
    await rig.register("web-3")


async def test_a_quota_that_came_later_disturbs_nobody_who_is_there() -> None:
    rig = Rig()
    for name in ("web-1", "web-2"):
        await rig.register(name)
    await rig.limit(entries="1")
    for name in ("web-1", "web-2"):
        await rig.register(name, port=21009)
    with pytest.raises(NoRoom):
        await rig.register("web-3")


async def test_a_service_that_there_is_no_room_for_leaves_no_entry() -> None:
    rig = Rig()
    await rig.limit(services="1")
    await rig.register("web-1")
    with pytest.raises(NoRoom, match=r"services \"shop\" is forbidden"):
        await rig.register("shop-1", service="shop")
    assert await rig.names() == ["web", "web-1"]
    await rig.register("web-2")
    assert await rig.store.read(service_key("shop", "shop")) is None


async def test_of_many_who_register_at_once_only_so_many_do() -> None:
    rig = Rig()
    await rig.limit(entries="5")
    done = await asyncio.gather(*(rig.register(f"web-{index}") for index in range(30)), return_exceptions=True)
    assert sum(one is None for one in done) == 5
    assert all(one is None or isinstance(one, NoRoom) for one in done)
