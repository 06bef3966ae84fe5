"""What a workload may claim: the services of its account, by labels that somebody gave it, at its own address."""

import json
from ipaddress import ip_network
from typing import Any

import pytest

from tests.registry.test_registry import RATINGS, REVIEWS, said_of
from weft.kit.clock import FakeClock
from weft.model.document import Document, Key
from weft.model.identity import Identity
from weft.registry.group import group_key
from weft.registry.registry import Registry
from weft.registry.rights import Claim, MayNot, Rights
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio
HERE = "127.0.0.1"


class Rig:
    def __init__(self, *networks: str) -> None:
        self.store = MemoryStore()
        self.asked: list[Claim] = []
        self.roles: set[tuple[str, str]] = set()
        self.rights = Rights(self.store, self._may_serve, tuple(ip_network(one) for one in networks))

    async def _may_serve(self, identity: Identity, claim: Claim) -> bool:
        self.asked.append(claim)
        return claim.name == identity.account or (identity.account, claim.name) in self.roles

    async def put(self, key: Key, spec: dict[str, Any]) -> None:
        content = {"metadata": {"name": key.name, "namespace": key.namespace}, "spec": spec}
        await self.store.create(Document(key=key, content=json.dumps(content).encode()))

    async def service(self, name: str, namespace: str = "shop", **selector: str) -> None:
        await self.put(Key(kind="Service", name=name, namespace=namespace), {"selector": selector})

    async def may(self, caller: Identity, source: str = HERE, **said: Any) -> bool:
        try:
            await self.rights.require("w-1", said_of(**said), caller, source)
        except MayNot:
            return False
        return True


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_an_account_serves_the_service_of_its_name_and_those_of_its_roles(rig: Rig) -> None:
    assert await rig.may(REVIEWS)
    assert not await rig.may(RATINGS)
    rig.roles.add(("ratings", "reviews"))
    assert await rig.may(RATINGS)
    assert {claim.namespace for claim in rig.asked} == {"shop"}, "the namespace is always the caller's own"


async def test_labels_do_not_make_an_endpoint_of_another_service(rig: Rig) -> None:
    await rig.service("payments", tier="gold")
    assert await rig.may(REVIEWS, labels={"tier": "silver"})
    assert not await rig.may(REVIEWS, labels={"tier": "gold"})
    rig.roles.add(("reviews", "payments"))
    assert await rig.may(REVIEWS, labels={"tier": "gold"})


async def test_labels_of_another_namespace_and_selectors_of_the_own_service_are_no_matter(rig: Rig) -> None:
    await rig.service("payments", namespace="bank", tier="gold")
    await rig.service("reviews-canary", app="reviews", version="v2")
    assert await rig.may(REVIEWS, labels={"tier": "gold"}, version="v2")


async def test_a_service_entry_that_selects_workloads_is_served_by_those_who_may(rig: Rig) -> None:
    key = Key(group="networking.istio.io", kind="ServiceEntry", name="bank", namespace="shop")
    await rig.put(key, {"hosts": ["bank.example.com"], "workloadSelector": {"labels": {"tier": "gold"}}})
    assert not await rig.may(REVIEWS, labels={"tier": "gold"})
    wanted = Claim(resource="serviceentries", group="networking.istio.io", namespace="shop", name="bank")
    assert rig.asked[-1] == wanted
    rig.roles.add(("reviews", "bank"))
    assert await rig.may(REVIEWS, labels={"tier": "gold"})


async def test_a_service_that_is_written_later_does_not_end_what_it_selects(rig: Rig) -> None:
    said = said_of(labels={"tier": "gold"})
    await Registry(rig.store, FakeClock()).register("w-1", said, REVIEWS)
    await rig.service("everything", tier="gold")
    assert await rig.may(REVIEWS, labels={"tier": "gold"})
    assert not await rig.may(REVIEWS, labels={"tier": "gold", "more": "now"}), "what it says anew is looked at"


async def test_a_group_for_the_account_gives_it_a_service_and_labels(rig: Rig) -> None:
    template = {"labels": {"app": "orders", "tier": "gold"}, "serviceAccount": "reviews"}
    await rig.put(group_key("shop", "back"), {"template": template})
    await rig.service("payments", tier="gold")
    assert await rig.may(REVIEWS, service="orders", group="back")
    assert not await rig.may(RATINGS, service="orders", group="back")
    assert not await rig.may(REVIEWS, service="other", group="back")
    await rig.rights.require_service("orders", REVIEWS)
    with pytest.raises(MayNot):
        await rig.rights.require_service("orders", RATINGS)


@pytest.mark.parametrize(
    ("source", "address", "allowed"),
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("127.0.0.1", "127.0.0.9", True),
        ("192.0.2.7", "127.0.0.1", False),
        ("192.0.2.7", "192.0.2.8", False),
        ("127.0.0.1", "192.0.2.7", False),
        ("192.0.2.7", "10.1.2.3", True),
        ("", "127.0.0.1", False),
        ("2001:db8::1", "2001:db8:0::1", True),
    ],
)
async def test_the_address_is_the_callers_own_or_one_of_the_networks(source: str, address: str, allowed: bool) -> None:
    assert await Rig("10.0.0.0/8").may(REVIEWS, source, address=address) is allowed
