"""Traces on demand: whose calls they are of, and that they end."""

import asyncio

import pytest

from tests.intents.intent import caller, world
from weft.compiler.resource import LISTENER, Resources
from weft.compiler.resources import resources_of
from weft.duties.demands import Demands
from weft.kit.clock import SystemClock
from weft.kit.latest import Latest
from weft.kit.tasks import tasks
from weft.model.mesh import Mesh
from weft.model.tap import Target
from weft.view.build import view_of

pytestmark = pytest.mark.asyncio


class Rig:
    def __init__(self) -> None:
        self.demands = Demands(SystemClock())
        self.looked = 0
        self.ended = asyncio.Event()
        latest: Latest[Mesh] = Latest()
        latest.set(world())
        self.demands.follow(latest, self._again)

    def _again(self) -> None:
        self.looked += 1
        if not self.demands.all():
            self.ended.set()

    def changed(self, name: str) -> list[str]:
        node = caller(name)
        made = resources_of(view_of(world(), node))
        now = self.demands.altered(made, node)
        return [one.name for one, other in zip(made.resources, now.resources, strict=True) if one != other]


async def test_the_callers_own_listeners_are_changed_and_nothing_else() -> None:
    rig = Rig()
    assert rig.changed("web-1") == []
    demand = rig.demands.start(Target(namespace="shop", workload="web-1"), 100, 60, "ann")
    assert rig.changed("web-1") == ["http_proxy"]
    assert rig.changed("web-2") == []
    assert rig.looked == 1
    assert rig.demands.stop(demand.id) == demand
    assert rig.changed("web-1") == []
    assert rig.demands.stop(demand.id) is None


async def test_a_demand_ends_by_itself() -> None:
    rig = Rig()
    async with tasks() as group:
        group.start(rig.demands.run(), "demands")
        rig.demands.start(Target(namespace="shop", workload="web-1"), 100, 0.2, "ann")
        async with asyncio.timeout(5):
            await rig.ended.wait()
    assert rig.changed("web-1") == []
    assert rig.looked == 2


async def test_asking_again_takes_the_place_of_what_was_asked_before() -> None:
    rig = Rig()
    target = Target(namespace="shop", workload="web-1")
    rig.demands.start(target, 100, 60, "ann")
    rig.demands.start(target, 5, 60, "bob")
    assert [(one.percent, one.by) for one in rig.demands.all()] == [(5, "bob")]


async def test_nothing_else_of_a_proxy_is_touched() -> None:
    rig = Rig()
    rig.demands.start(Target(namespace="shop", workload="web-1"), 50, 60, "ann")
    node = caller("web-1")
    made = resources_of(view_of(world(), node))
    now: Resources = rig.demands.altered(made, node)
    assert [one for one in now.resources if one.type_url != LISTENER] == [
        one for one in made.resources if one.type_url != LISTENER
    ]
