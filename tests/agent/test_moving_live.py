"""A control plane that comes up at another of the addresses that its agents were given."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agent.rig import Mesh, running, until_true

pytestmark = [pytest.mark.asyncio, pytest.mark.live]


async def test_a_workload_follows_its_control_plane_to_another_address(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """The first address is dead when it joins; agent and proxy both follow, the application is served throughout."""
    mesh = Mesh(tmp_path, free_port(), free_port(), lifetime=3600.0)
    elsewhere = free_port(), free_port()
    addresses = ",".join(f"https://127.0.0.1:{port}" for port in (elsewhere[1], mesh.agent_port))
    config = await mesh.config("reviews-1", join_url=addresses)
    async with running(config) as agent:
        async with mesh.serving():
            await agent.says("is registered")
            await until_true(agent.answers)
        assert await agent.answers(), "as before, while nobody is there"
        mesh.xds_port, mesh.agent_port = elsewhere
        async with mesh.serving():
            await until_true(lambda: _follows(mesh))
            assert await agent.answers()
            assert await agent.stop() == 0
    assert await mesh.entry("reviews-1") is None, "it told the control plane where that is now"


async def _follows(mesh: Mesh) -> bool:
    return [one.name for one in mesh.fleet.proxies()] == ["reviews-1.shop"]
