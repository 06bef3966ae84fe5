"""The root is replaced under load: real agents, real sidecars, and a control plane that is killed in every phase."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from cryptography import x509

from tests.agent.rig import CLOCK, Agent, Mesh, running, until, until_true
from weft.agent.keygen import new_key
from weft.ca.authority import open_authority
from weft.ca.roots import Phase
from weft.model.identity import Identity

pytestmark = [pytest.mark.asyncio, pytest.mark.live]


@pytest.fixture
def mesh(tmp_path: Path, free_port: Callable[[], int]) -> Mesh:
    return Mesh(tmp_path, free_port(), free_port(), lifetime=3600.0)


class Load:
    """Calls through two sidecars, one after the other, without a pause."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self.answered = 0
        self.failed: list[int] = []

    async def run(self) -> None:
        while True:
            answer = await self._agent.call()
            if answer.status == 200:
                self.answered += 1
            else:
                self.failed.append(answer.status)
            await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def loaded(agent: Agent) -> AsyncIterator[Load]:
    load = Load(agent)
    task = asyncio.create_task(load.run())
    try:
        yield load
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert load.failed == []
    assert load.answered >= 20, "there was something to lose"


async def reached(mesh: Mesh, phase: Phase) -> None:
    await until(lambda: mesh.authority.rotation.phase is phase)


async def asked(mesh: Mesh, count: int) -> None:
    """Wait until so many workloads have asked this control plane what they should hold."""
    await until(lambda: len(mesh.rotator.present()) == count)


async def followed(mesh: Mesh, count: int) -> None:
    """Wait until so many workloads hold what they should."""
    await until(lambda: len(mesh.rotator.present()) == count and not mesh.rotator.behind())


async def issuer(mesh: Mesh, name: str) -> x509.Name:
    """Who signed the certificate that a sidecar shows to its peers."""
    entry = await mesh.entry(name)
    assert entry is not None
    _, writer = await asyncio.open_connection(
        "127.0.0.1", entry["spec"]["ports"]["http-9080"], ssl=await mesh.peer_context(), server_hostname="reviews"
    )
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return x509.load_der_x509_certificate(shown).issuer


async def signing(mesh: Mesh) -> x509.Name:
    """The subject of what signs for workloads now."""
    pair = await new_key()
    web = Identity(trust_domain="cluster.local", namespace="shop", account="web")
    return x509.load_pem_x509_certificate(mesh.authority.sign(pair.csr.encode(), web).chain.encode()).issuer


def killed(mesh: Mesh) -> None:
    """What is left of a control plane that was killed: its files."""
    mesh.authority = open_authority(mesh.directory / "ca", trust_domain="cluster.local", clock=CLOCK)


async def test_a_root_is_replaced_without_a_lost_request_whenever_the_control_plane_dies(mesh: Mesh) -> None:
    old = await signing(mesh)
    async with contextlib.AsyncExitStack() as agents:
        async with mesh.serving():
            one = await agents.enter_async_context(running(await mesh.config("reviews-1")))
            two = await agents.enter_async_context(running(await mesh.config("reviews-2")))
            for agent in (one, two):
                await agent.says("is registered")
                await until_true(agent.answers)
            assert await issuer(mesh, "reviews-1") == old
        async with loaded(one):
            for phase in (Phase.DISTRIBUTE, Phase.SIGN, Phase.NONE):
                killed(mesh)
                async with mesh.serving():
                    await asked(mesh, 2)
                    if phase is Phase.DISTRIBUTE:
                        mesh.rotator.begin(eager=True)
                    await reached(mesh, phase)
            killed(mesh)
            async with mesh.serving():
                await followed(mesh, 2)
                assert len(mesh.authority.roots) == 1
                new = await signing(mesh)
                assert new != old
                for name in ("reviews-1", "reviews-2"):
                    assert await issuer(mesh, name) == new
                assert (await two.call()).status == 200
        async with mesh.serving():
            assert await two.stop() == 0
            assert await one.stop() == 0


async def test_a_replacement_is_taken_back_in_its_last_phase(mesh: Mesh) -> None:
    async with mesh.serving(), running(await mesh.config("reviews-1")) as agent:
        await agent.says("is registered")
        await until_true(agent.answers)
        old, bundle = await signing(mesh), mesh.authority.bundle
        await asked(mesh, 1)
        async with loaded(agent):
            mesh.rotator.begin(eager=False)
            await reached(mesh, Phase.SIGN)
            await followed(mesh, 1)
            assert await issuer(mesh, "reviews-1") != old
            mesh.rotator.abort()
            await followed(mesh, 1)
            assert await issuer(mesh, "reviews-1") == old
            assert mesh.authority.rotation.phase is Phase.REVERT
            assert mesh.authority.bundle.startswith(bundle), "what the next root signed is believed until it has ended"
        assert await agent.stop() == 0


async def test_an_agent_that_is_restarted_after_the_replacement_needs_no_new_token(mesh: Mesh) -> None:
    """It was told the old root by the user; what it kept descends from it."""
    (mesh.directory / "named.pem").write_text(mesh.authority.bundle)
    config = await mesh.config("reviews-1", ca_file=mesh.directory / "named.pem")
    async with mesh.serving():
        async with running(config) as agent:
            await agent.says("is registered")
            await asked(mesh, 1)
            mesh.rotator.begin(eager=True)
            await reached(mesh, Phase.SIGN)
            await reached(mesh, Phase.NONE)
            await followed(mesh, 1)
            assert await agent.stop() == 0
        async with running(config) as agent:
            await agent.says("is registered")
            assert await agent.stop() == 0


async def test_a_certificate_of_the_dropped_root_is_nobodys(mesh: Mesh) -> None:
    stranger = await mesh.peer_context()
    async with mesh.serving():
        mesh.rotator.begin(eager=True)
        await reached(mesh, Phase.NONE)
        stranger.load_verify_locations(cadata=mesh.authority.bundle)
        reader, writer = await asyncio.open_connection("127.0.0.1", mesh.agent_port, ssl=stranger)
        writer.write(b"GET /v1/bundle HTTP/1.1\r\nhost: weft\r\n\r\n")
        with contextlib.suppress(OSError):
            assert await reader.read(100) == b"", "the listener hangs up"
        writer.close()
