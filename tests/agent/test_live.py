"""The whole life of a workload: real agents, real Envoys, a control plane that comes and goes."""

import asyncio
import contextlib
import signal
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.agent.rig import Agent, Mesh, running, until, until_true
from weft.agent.config import Restart
from weft.agent.http import Unanswered

pytestmark = [pytest.mark.asyncio, pytest.mark.live]
MEGABYTE = 1_000_000


@pytest.fixture
def mesh(tmp_path: Path, free_port: Callable[[], int]) -> Mesh:
    return Mesh(tmp_path, free_port(), free_port(), lifetime=3600.0)


async def test_a_workload_joins_serves_survives_its_envoy_and_leaves(mesh: Mesh) -> None:
    async with mesh.serving(), running(await mesh.config("reviews-1", drain_seconds=20.0)) as agent:
        await agent.says("reviews-1 is registered for reviews")
        assert await mesh.healthy("reviews-1")
        await until_true(agent.answers)
        answer = await agent.call()
        assert (answer.status, answer.body) == (200, b"hello")

        assert psutil.Process(agent.process.pid).memory_info().rss < 40 * MEGABYTE
        assert _admin_socket(agent).stat().st_mode & 0o777 == 0o600
        assert not [c for c in agent.child("envoy").net_connections("tcp") if _is_admin(c)]

        agent.child("envoy").send_signal(signal.SIGKILL)
        await agent.says("envoy was ended by SIGKILL")
        await until_true(agent.answers)

        children = psutil.Process(agent.process.pid).children(recursive=True)
        staying = await _connected(mesh, "reviews-1")
        agent.process.send_signal(signal.SIGTERM)
        await agent.says("draining for at most 20 s")
        await until_true(lambda: _is_ill(mesh, "reviews-1"))
        assert (await agent.call()).status in (200, 503), "the sidecar still answers while it drains"
        assert all(child.is_running() for child in children), "peers are told before anything stops"
        staying.close()
        assert await asyncio.wait_for(agent.process.wait(), 15) == 0, "it waits for nobody but who is there"
        assert await mesh.entry("reviews-1") is None
        assert not [child for child in children if child.is_running()]


async def _connected(mesh: Mesh, name: str) -> asyncio.StreamWriter:
    """A connection of a peer, for which a sidecar waits while it drains."""
    entry = await mesh.entry(name)
    assert entry is not None
    port, context = entry["spec"]["ports"]["http-9080"], await mesh.peer_context()
    return (await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="reviews"))[1]


async def _is_ill(mesh: Mesh, name: str) -> bool:
    return await mesh.entry(name) is not None and not await mesh.healthy(name)


def _admin_socket(agent: Agent) -> Path:
    """The one that Envoy has: elsewhere than its files where their path is longer than a socket's may be."""
    sockets = {Path(one.laddr) for one in agent.child("envoy").net_connections("unix") if one.laddr}
    return next(one for one in sockets if one.name == "admin.sock")


def _is_admin(connection: object) -> bool:
    """Whether a listening socket is one that nobody planned (there are two: the inbound port and the proxy)."""
    return getattr(connection, "status", "") == psutil.CONN_LISTEN and getattr(connection, "laddr").ip != "127.0.0.1"  # noqa: B009


async def test_a_control_plane_that_is_away_loses_nothing(mesh: Mesh) -> None:
    async with mesh.serving():
        agent_context = running(await mesh.config("reviews-1", heartbeat_seconds=0.5))
        agent = await agent_context.__aenter__()
        try:
            await agent.says("is registered")
            await until_true(agent.answers)
        except BaseException:
            await agent_context.__aexit__(*sys.exc_info())
            raise
    try:
        await agent.says("the control plane does not answer")
        for _ in range(50):
            assert (await agent.call()).status == 200
        async with mesh.serving():
            await agent.says("the control plane answers again")
            assert (await agent.call()).status == 200
            assert await agent.stop() == 0
            assert await mesh.entry("reviews-1") is None
    finally:
        await agent_context.__aexit__(None, None, None)


async def test_a_certificate_is_rotated_without_a_restart_or_a_lost_request(tmp_path: Path, mesh: Mesh) -> None:
    context = await mesh.peer_context()
    mesh.authority.lifetime = 12.0
    async with mesh.serving(), running(await mesh.config("reviews-1")) as agent:
        await agent.says("is registered")
        await until_true(agent.answers)
        entry = await mesh.entry("reviews-1")
        assert entry is not None
        port = entry["spec"]["ports"]["http-9080"]
        envoy = agent.child("envoy").pid
        first = await _serial(port, context)
        while await _serial(port, context) == first:
            assert (await agent.call()).status == 200
            await asyncio.sleep(0.1)
        assert (await agent.call()).status == 200
        assert agent.child("envoy").pid == envoy


async def _serial(port: int, context: ssl.SSLContext) -> str:
    """The serial number of the certificate that a sidecar shows."""
    return str((await _shown(port, context))["serialNumber"])


async def _shown(port: int, context: ssl.SSLContext) -> dict[str, Any]:
    """The certificate that a sidecar shows."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="reviews")
    certificate: dict[str, Any] = writer.get_extra_info("ssl_object").getpeercert()
    writer.close()
    assert ("URI", "spiffe://cluster.local/ns/shop/sa/reviews") in certificate["subjectAltName"]
    return certificate


async def test_an_application_that_dies_is_reported_and_its_code_is_the_agents(mesh: Mesh) -> None:
    async with mesh.serving(), running(await mesh.config("reviews-1")) as agent:
        await agent.says("is registered")
        await until_true(agent.answers)
        with pytest.raises((Unanswered, AssertionError)):
            assert (await agent.call("http://reviews:9080/die")).status == 200
        assert await asyncio.wait_for(agent.process.wait(), 20) == 7
        await agent.says("exited with 7; it said last:")
        await agent.says("weft:   | my last words")
        assert await mesh.entry("reviews-1") is None


async def test_an_application_is_started_again_when_that_was_asked(mesh: Mesh) -> None:
    config = await mesh.config("reviews-1", restart=Restart.ON_FAILURE)
    async with mesh.serving(), running(config) as agent:
        await agent.says("is registered")
        agent.child("python").send_signal(signal.SIGKILL)
        await agent.says("was ended by SIGKILL")
        await until(lambda: sum(line.startswith("proxy http") for line in agent.said.splitlines()) == 2)
        await until_true(agent.answers)
        assert await agent.stop() == 0


async def test_a_restarted_agent_uses_its_certificate_not_the_used_token(mesh: Mesh) -> None:
    config = await mesh.config("reviews-1")
    async with mesh.serving():
        for _ in range(2):
            async with running(config) as agent:
                await agent.says("is registered")
                await agent.stop()


async def test_a_killed_agent_takes_everything_with_it(mesh: Mesh) -> None:
    async with mesh.serving(), running(await mesh.config("reviews-1")) as agent:
        await agent.says("is registered")
        children = psutil.Process(agent.process.pid).children(recursive=True)
        assert len(children) == 2
        agent.process.kill()
        await until(lambda: not any(_runs(child) for child in children))


def _runs(child: psutil.Process) -> bool:
    try:
        return child.is_running() and child.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_a_second_agent_of_the_same_name_is_refused(mesh: Mesh) -> None:
    config = await mesh.config("reviews-1")
    async with mesh.serving(), running(config) as first:
        await first.says("is registered")
        async with running(config) as second:
            assert await asyncio.wait_for(second.process.wait(), 20) == 1
            await second.says("error: another agent already runs reviews-1")


async def test_a_refused_token_is_one_sentence(mesh: Mesh) -> None:
    config = await mesh.config("reviews-1")
    assert config.token_file is not None
    await mesh.tokens.consume(config.token_file.read_text())
    async with mesh.serving(), running(config) as agent:
        assert await asyncio.wait_for(agent.process.wait(), 20) == 5
        await agent.says(
            "error: the control plane refused to let reviews-1 join: this join token is unknown, used or too old\n"
            "weft: help: create one: weft token create\n"
        )
        assert "Traceback" not in agent.said


@pytest.mark.parametrize(("content", "words"), [(b"", "is empty"), (b"\xce\xff", "holds no token")])
async def test_a_token_file_without_a_token_is_named(content: bytes, words: str, mesh: Mesh) -> None:
    config = await mesh.config("reviews-1")
    assert config.token_file is not None
    config.token_file.write_bytes(content)
    async with running(config) as agent:
        assert await asyncio.wait_for(agent.process.wait(), 20) == 1
        await agent.says(f"error: --token-file {config.token_file} {words}\nweft: help: weft token create > FILE")


async def test_an_application_that_ends_at_once_is_no_failure_of_the_agent(mesh: Mesh) -> None:
    config = await mesh.config("reviews-1", command=("true",), ports=())
    async with mesh.serving(), running(config) as agent:
        assert await asyncio.wait_for(agent.process.wait(), 20) == 0
        await agent.says("true exited with 0")
        assert "not well" not in agent.said
        assert await mesh.entry("reviews-1") is None


async def test_a_certificate_is_renewed_late_when_the_control_plane_was_away_at_its_half_life(mesh: Mesh) -> None:
    context = await mesh.peer_context()
    mesh.authority.lifetime = 16.0
    async with contextlib.AsyncExitStack() as stack:
        async with mesh.serving():
            agent = await stack.enter_async_context(running(await mesh.config("reviews-1", heartbeat_seconds=0.5)))
            await agent.says("is registered")
            await until_true(agent.answers)
            entry = await mesh.entry("reviews-1")
            assert entry is not None
            port = entry["spec"]["ports"]["http-9080"]
        shown = await _shown(port, context)
        first, ends = str(shown["serialNumber"]), ssl.cert_time_to_seconds(shown["notAfter"])
        while time.time() < ends - 6.5:
            assert (await agent.call()).status == 200, agent.said
            await asyncio.sleep(0.05)
        assert await _serial(port, context) == first, "it was not renewed at its half life, as nobody was there"
        mesh.authority.lifetime = 3600.0
        async with mesh.serving():
            while await _serial(port, context) == first:
                assert (await agent.call()).status == 200, agent.said
                await asyncio.sleep(0.05)
            while time.time() < ends + 1:
                assert (await agent.call()).status == 200, "the first certificate has expired by now"
                await asyncio.sleep(0.05)
            assert await agent.stop() == 0


async def test_an_impostor_never_sees_the_token(mesh: Mesh, tmp_path: Path, free_port: Callable[[], int]) -> None:
    (tmp_path / "impostor").mkdir()
    impostor = Mesh(tmp_path / "impostor", free_port(), free_port(), 3600.0)
    url = f"https://127.0.0.1:{impostor.agent_port}"
    by_print = await mesh.config("r-1", join_url=url, ca_file=None, ca_fingerprint=mesh.authority.fingerprint)
    by_file = await mesh.config("r-2", join_url=url)
    async with impostor.serving():
        async with running(by_print) as agent:
            assert await asyncio.wait_for(agent.process.wait(), 20) == 1
            await agent.says("is not the one that --ca-fingerprint names")
        async with running(by_file) as agent:
            await agent.says("certificate verify failed")
    for config in (by_print, by_file):
        assert config.token_file is not None
        assert await mesh.tokens.consume(config.token_file.read_text()) is not None


async def test_joining_by_fingerprint_works(mesh: Mesh) -> None:
    config = await mesh.config("reviews-1", ca_file=None, ca_fingerprint=mesh.authority.fingerprint)
    async with mesh.serving(), running(config) as agent:
        await agent.says("is registered")
        assert await agent.stop() == 0


async def test_a_command_that_is_not_there_is_one_sentence(mesh: Mesh) -> None:
    config = await mesh.config("reviews-1", command=("/no/such/program",))
    async with mesh.serving(), running(config) as agent:
        assert await asyncio.wait_for(agent.process.wait(), 20) == 1
        await agent.says("error: /no/such/program cannot be started: no such file or directory")
        assert "Traceback" not in agent.said


async def test_a_second_signal_hurries(mesh: Mesh) -> None:
    config = await mesh.config("reviews-1", drain_seconds=300.0)
    async with mesh.serving(), running(config) as agent:
        await agent.says("is registered")
        agent.process.send_signal(signal.SIGINT)
        await agent.says("draining for at most 300 s")
        agent.process.send_signal(signal.SIGINT)
        await asyncio.wait_for(agent.process.wait(), 10)
        assert await mesh.entry("reviews-1") is None


async def test_an_agent_waits_for_a_control_plane_that_starts_later(mesh: Mesh) -> None:
    async with running(await mesh.config("reviews-1")) as agent:
        await agent.says("does not answer")
        async with mesh.serving():
            await agent.says("is registered")
            assert await agent.stop() == 0
