"""What an agent says of its workload for as long as it lives: that it is there, that it drains, and that it is gone."""

import asyncio
import json
from pathlib import Path

import pytest

from weft.agent.config import AgentConfig
from weft.agent.damping import Damping
from weft.agent.health import Health
from weft.agent.http import Answer, HttpClient, Unanswered
from weft.agent.ports import Plan
from weft.agent.registrar import Registrar
from weft.kit.clock import SystemClock

pytestmark = pytest.mark.asyncio


class _Plane(HttpClient):
    """A control plane that lists what it is told; ``away`` it answers nothing."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.away = False
        self.slow: asyncio.Event | None = None

    async def request(self, method: str, path: str, body: bytes = b"") -> Answer:
        if self.slow is not None:
            await self.slow.wait()
        if self.away:
            raise Unanswered("refused")
        self.told.append("gone" if method == "DELETE" else "drains" if json.loads(body)["drain"] else "serves")
        return Answer(status=200, body=b"{}")

    async def hears(self, *told: str) -> None:
        """Wait until it was told this at last."""
        async with asyncio.timeout(5):
            while tuple(self.told[-len(told) :]) != told:  # noqa: ASYNC110
                await asyncio.sleep(0.005)


async def _well() -> bool:
    return True


def _registrar(plane: _Plane) -> Registrar:
    config = AgentConfig(service="reviews", name="reviews-1", command=(), state_dir=Path(), heartbeat_seconds=0.02)
    health = Health(config.health, _well, Damping(SystemClock(), 5.0))
    return Registrar(config, Plan(inlets=(), outlets=(), http_proxy=0), health, lambda: plane)


async def test_a_workload_that_drains_says_so_until_it_is_gone_and_nothing_after() -> None:
    plane = _Plane()
    registrar = _registrar(plane)
    heart = asyncio.ensure_future(registrar.beat())
    await plane.hears("serves", "serves")
    assert await registrar.leave(drain=True)
    await plane.hears("drains", "drains", "drains")
    assert await registrar.leave(drain=False)
    await asyncio.wait_for(heart, 5)
    assert plane.told[-1] == "gone"
    assert plane.told.count("gone") == 1
    assert "serves" not in plane.told[plane.told.index("drains") :]


async def test_a_control_plane_that_was_away_hears_of_the_drain_when_it_is_back() -> None:
    plane = _Plane()
    registrar = _registrar(plane)
    heart = asyncio.ensure_future(registrar.beat())
    await plane.hears("serves")
    plane.away = True
    assert not await registrar.leave(drain=True)
    plane.away = False
    await plane.hears("drains", "drains")
    await registrar.leave(drain=False)
    await asyncio.wait_for(heart, 5)


async def test_a_heartbeat_that_is_under_way_does_not_register_again_what_is_gone() -> None:
    plane = _Plane()
    registrar = _registrar(plane)
    heart = asyncio.ensure_future(registrar.beat())
    await plane.hears("serves")
    plane.slow = asyncio.Event()
    await asyncio.sleep(0.05)
    leaving = asyncio.ensure_future(registrar.leave(drain=False))
    await asyncio.sleep(0.02)
    plane.slow.set()
    await asyncio.wait_for(asyncio.gather(leaving, heart), 5)
    assert plane.told[-1] == "gone"
