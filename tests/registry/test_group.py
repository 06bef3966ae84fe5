"""Workloads that register for a WorkloadGroup."""

import json

import pytest

from tests.registry.test_registry import REVIEWS, Rig, said_of
from weft.model.document import Document
from weft.registry.group import BadGroup, group_key

pytestmark = pytest.mark.asyncio
SPEC = {
    "metadata": {"labels": {"team": "a"}, "annotations": {"why": "test"}},
    "template": {
        "labels": {"tier": "back"},
        "locality": "eu/1",
        "weight": 3,
        "network": "n",
        "serviceAccount": "reviews",
    },
    "probe": {"httpGet": {"port": 80}},
}


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def apply(rig: Rig, **template: object) -> None:
    spec = SPEC | {"template": SPEC["template"] | template}  # type: ignore[operator]
    content = json.dumps({"metadata": {"name": "back"}, "spec": spec}).encode()
    await rig.store.create(Document(key=group_key("shop", "back"), content=content, uid="u-1"))


async def test_the_template_fills_in_what_the_workload_does_not_say(rig: Rig):
    await apply(rig)
    await rig.registry.register("reviews-1", said_of(group="back", labels={"tier": "mine"}, weight=7), REVIEWS)
    entry = await rig.entry()
    assert entry is not None
    spec = entry["spec"]
    assert (spec["locality"], spec["weight"], spec["network"]) == ("eu/1", 7, "n")
    assert (spec["labels"]["team"], spec["labels"]["tier"], spec["labels"]["app"]) == ("a", "mine", "reviews")


async def test_the_entry_names_its_group_as_its_owner(rig: Rig):
    await apply(rig)
    await rig.registry.register("reviews-1", said_of(group="back"), REVIEWS)
    entry = await rig.entry()
    assert entry is not None
    (owner,) = entry["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("WorkloadGroup", "back", "u-1")
    assert entry["metadata"]["annotations"] == {"why": "test", "istio.io/autoRegistrationGroup": "back"}


async def test_a_group_that_is_not_there_is_refused(rig: Rig):
    with pytest.raises(BadGroup, match="there is no WorkloadGroup back"):
        await rig.registry.register("reviews-1", said_of(group="back"), REVIEWS)
    assert await rig.entry() is None


async def test_a_group_for_another_account_is_refused(rig: Rig):
    await apply(rig, serviceAccount="ratings")
    with pytest.raises(BadGroup, match="for the account ratings"):
        await rig.registry.register("reviews-1", said_of(group="back"), REVIEWS)


async def test_a_port_of_the_template_that_the_workload_lacks_is_refused(rig: Rig):
    await apply(rig, ports={"admin": 1})
    with pytest.raises(BadGroup, match="the port admin"):
        await rig.registry.register("reviews-1", said_of(group="back"), REVIEWS)


async def test_the_same_registration_again_writes_nothing(rig: Rig):
    await apply(rig)
    await rig.registry.register("reviews-1", said_of(group="back"), REVIEWS)
    revision = (await rig.store.snapshot()).revision
    await rig.registry.register("reviews-1", said_of(group="back"), REVIEWS)
    assert (await rig.store.snapshot()).revision == revision
