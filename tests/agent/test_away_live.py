"""Certificates that live for seconds: nothing is lost while they are renewed; who was away comes back by its key."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agent.rig import Mesh, running, until_true
from tests.agent.test_live import _serial
from weft.agent.config import AgentConfig
from weft.agent.http import HttpClient, Streams

pytestmark = [pytest.mark.asyncio, pytest.mark.live]
LIFETIME = 4.0


@pytest.fixture
def mesh(tmp_path: Path, free_port: Callable[[], int]) -> Mesh:
    return Mesh(tmp_path, free_port(), free_port(), lifetime=LIFETIME)


async def _gone(mesh: Mesh) -> AgentConfig:
    """A workload that ran once, was stopped, and whose certificate has ended; it has no token any more."""
    config = await mesh.config("reviews-1")
    async with running(config) as agent:
        await agent.says("is registered")
        assert await agent.stop() == 0
    await asyncio.sleep(LIFETIME + 0.5)
    return await mesh.config("reviews-1", token_file=None)


async def test_a_host_that_was_off_until_its_certificate_had_ended_needs_no_token(mesh: Mesh) -> None:
    async with mesh.serving():
        config = await _gone(mesh)
        mesh.authority.lifetime = 3600.0
        async with running(config) as agent:
            await agent.says("the certificate had ended and is renewed")
            await agent.says("is registered")
            await until_true(agent.answers)
            assert await agent.stop() == 0


async def test_a_host_that_was_off_for_too_long_is_told_how_to_join_again(mesh: Mesh) -> None:
    mesh.window = 0.1
    async with mesh.serving(), running(await _gone(mesh)) as agent:
        assert await asyncio.wait_for(agent.process.wait(), 20) == 5
        await agent.says("error: the certificate of reviews-1 has ended and is not renewed: the certificate ended")
        await agent.says("help: join again: weft token create > FILE, then give --token-file FILE")
        assert "Traceback" not in agent.said


async def test_requests_and_connections_go_on_while_certificates_are_renewed_again_and_again(mesh: Mesh) -> None:
    mesh.authority.lifetime = 3600.0
    context = await mesh.peer_context()
    mesh.authority.lifetime = LIFETIME
    async with mesh.serving(), running(await mesh.config("reviews-1")) as agent:
        await agent.says("is registered")
        await until_true(agent.answers)
        entry = await mesh.entry("reviews-1")
        assert entry is not None
        port = entry["spec"]["ports"]["http-9080"]
        opened: list[int] = []
        kept = _kept(await agent.proxy(), opened)
        serials: set[str] = set()
        while len(serials) < 4:
            assert (await kept.request("GET", "http://reviews:9080/")).status == 200
            assert (await agent.call()).status == 200
            serials.add(await _serial(port, context))
            await asyncio.sleep(0.05)
        kept.close()
        await asyncio.sleep(0)
        assert len(opened) == 1, "the application's connection was never opened again"


def _kept(port: int, opened: list[int]) -> HttpClient:
    """A client that keeps its connection, and writes down each that it opens."""

    async def connect() -> Streams:
        opened.append(port)
        return await asyncio.open_connection("127.0.0.1", port)

    return HttpClient(connect, "reviews:9080", 5.0, keep=True)
