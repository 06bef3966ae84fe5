"""How soon callers hear of an application's health, and what is answered about a workload."""

import asyncio
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agent.rig import Agent, Mesh, running, until, until_true
from weft.agent.config import Probe, ProbeKind
from weft.agent.http import Answer, HttpClient, Unanswered
from weft.compiler.resource import ENDPOINTS

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(300)]
PROMISED = 0.5
_PROBE_SECONDS = 0.05
CALLER = "import signal; signal.pause()"


@pytest.fixture
def mesh(tmp_path: Path, free_port: Callable[[], int]) -> Mesh:
    return Mesh(tmp_path, free_port(), free_port(), lifetime=3600.0)


def _heard(mesh: Mesh, count: int) -> bool:
    """Whether the caller's sidecar acknowledged so many endpoints of the service."""
    uri = "spiffe://cluster.local/ns/shop/sa/reviews"
    resources = mesh.fleet.settled(uri, "caller-1.shop")
    found = (
        [one for one in resources.resources if one.type_url == ENDPOINTS and "reviews.shop" in one.name]
        if resources
        else []
    )
    return bool(found) and all(
        (b"\x7f\x00\x00\x01" in one.body or b"127.0.0.1" in one.body) == bool(count) for one in found
    )


async def _changes(mesh: Mesh, tmp_path: Path, count: int) -> list[float]:
    """Seconds from an application that fails its probe, or passes it again, to the caller's acknowledgement."""
    ill = tmp_path / "ill"
    probe = Probe(
        kind=ProbeKind.COMMAND, target=f"test ! -e {ill}", interval=_PROBE_SECONDS, timeout=5.0, unhealthy_after=1
    )
    server = await mesh.config("reviews-1", probe=probe, flap_seconds=0.0)
    caller = await mesh.config(
        "caller-1", service="caller", ports=(), command=(sys.executable, "-c", CALLER), probe=Probe(kind=ProbeKind.NONE)
    )
    took: list[float] = []
    async with mesh.serving(), running(server) as agent, running(caller) as other:
        await agent.says("is registered")
        await other.says("is registered")
        await until(lambda: _heard(mesh, 1))
        for number in range(count):
            begun = time.monotonic()
            ill.unlink() if number % 2 else ill.touch()
            await until(lambda number=number: _heard(mesh, number % 2))
            took.append(time.monotonic() - begun)
            await asyncio.sleep(0.1)
        assert await agent.stop() == 0
    return sorted(took)


@pytest.mark.live
async def test_health_reaches_callers_within_half_a_second(mesh: Mesh, tmp_path: Path) -> None:
    took = await _changes(mesh, tmp_path, 20)
    assert took[len(took) // 2] < PROMISED, took


@pytest.mark.soak
async def test_two_hundred_changes_of_health_reach_callers_within_half_a_second(mesh: Mesh, tmp_path: Path) -> None:
    took = await _changes(mesh, tmp_path, 200)
    assert took[int(len(took) * 0.99) - 1] < PROMISED, took


@pytest.mark.live
async def test_a_workload_is_ready_when_it_serves_and_not_when_it_drains(
    mesh: Mesh, free_port: Callable[[], int]
) -> None:
    port = free_port()
    async with mesh.serving(), running(await mesh.config("reviews-1", status_port=port, drain_seconds=3.0)) as agent:
        await until_true(lambda: _answered(port, "/healthz/live", 200))
        await agent.says("is registered")
        assert (await _status(port, "/healthz/ready")).status == 200
        agent.process.send_signal(signal.SIGTERM)
        await until_true(lambda: _answered(port, "/healthz/ready", 503))
        assert await asyncio.wait_for(agent.process.wait(), 20) == 0


async def _status(port: int, path: str) -> Answer:
    return await HttpClient(lambda: asyncio.open_connection("127.0.0.1", port), "agent", 5.0).request("GET", path)


async def _answered(port: int, path: str, status: int) -> bool:
    try:
        return (await _status(port, path)).status == status
    except Unanswered:
        return False


@pytest.mark.live
async def test_a_job_ends_with_its_own_code_after_its_sidecar_reported(mesh: Mesh) -> None:
    command = (sys.executable, "-c", "import sys; print('done', file=sys.stderr, flush=True); sys.exit(3)")
    config = await mesh.config("job-1", service="job", ports=(), command=command, probe=Probe(kind=ProbeKind.NONE))
    async with mesh.serving(), running(config) as agent:
        await agent.says("done")
        begun = time.monotonic()
        assert await asyncio.wait_for(agent.process.wait(), 20) == 3
        assert time.monotonic() - begun < 10
        assert not _children(agent)


def _children(agent: Agent) -> bool:
    return (Path("/proc") / str(agent.process.pid)).exists() and agent.process.returncode is None


@pytest.mark.live
async def test_an_application_may_begin_before_its_sidecar(mesh: Mesh) -> None:
    async with running(await mesh.config("reviews-1", wait=False)) as agent:
        await agent.says("does not answer")
        async with mesh.serving():
            await agent.says("is registered")
            assert agent.said.index("proxy http") < agent.said.index("is ready as")
            await until_true(agent.answers)
            assert await agent.stop() == 0
