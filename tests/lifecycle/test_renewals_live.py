"""Another Envoy and another agent while calls run: no call is lost, and the application never notices."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.agent.rig import Agent, Mesh, running, until, until_true
from weft.agent.config import Upstream, parse_port
from weft.agent.http import HttpClient
from weft.agent.status import Said, read_said
from weft.kit.tasks import tasks

pytestmark = [pytest.mark.asyncio, pytest.mark.live, pytest.mark.timeout(120)]
TCP = """
import os, socketserver, sys
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(b"%d " % os.getpid() + line)
socketserver.ThreadingTCPServer.daemon_threads = True
print("address", os.environ["SELF"], file=sys.stderr, flush=True)
socketserver.ThreadingTCPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def mesh(tmp_path: Path, free_port: Callable[[], int]) -> Mesh:
    return Mesh(tmp_path, free_port(), free_port(), lifetime=3600.0)


class Calls:
    """Requests one after the other over kept connections, and what became of them."""

    def __init__(self, agent: Agent) -> None:
        port = int(agent.said.partition("proxy http://127.0.0.1:")[2].split()[0])
        self.answers: Counter[str] = Counter()
        self._clients = [
            HttpClient(lambda: asyncio.open_connection("127.0.0.1", port), "reviews:9080", 5.0, keep=True)
            for _ in range(4)
        ]

    @asynccontextmanager
    async def going_on(self, least: int = 200) -> AsyncIterator[None]:
        """For as long as the block runs, and a while longer: until there were so many, too."""
        async with tasks() as group:
            for client in self._clients:
                group.start(self._call(client), "calls")
            await asyncio.sleep(0.2)
            yield
            await asyncio.sleep(0.5)
            await until(lambda: self.answers.total() > least)
        for client in self._clients:
            client.close()
        await asyncio.sleep(0)

    async def _call(self, client: HttpClient) -> None:
        while True:
            try:
                self.answers[str((await client.request("GET", "http://reviews:9080/")).status)] += 1
            except Exception as lost:  # noqa: BLE001  whatever it is, it is counted
                self.answers[repr(lost)] += 1
            await asyncio.sleep(0.005)


def _said(agent: Agent, mesh: Mesh, name: str = "reviews-1") -> Said:
    said = read_said(mesh.directory / "workloads" / name / "agent.json")
    assert said is not None, agent.said
    assert said.pid == agent.process.pid
    return said


async def test_another_envoy_takes_over_and_no_call_is_lost(mesh: Mesh) -> None:
    async with mesh.serving(), running(await mesh.config("reviews-1", overlap_seconds=3.0)) as agent:
        await agent.says("is registered")
        await until_true(agent.answers)
        calls = Calls(agent)
        async with calls.going_on():
            for epoch in (1, 2):
                before = _said(agent, mesh).envoy_pid
                agent.process.send_signal(signal.SIGUSR1)
                await until(lambda epoch=epoch: _said(agent, mesh).epoch == epoch)
                assert _said(agent, mesh).envoy_pid != before
                await until(lambda before=before: not _runs(before))
        assert set(calls.answers) == {"200"}, calls.answers
        await until(lambda: agent.said.count("took over") == 2)
        agent.child("envoy").send_signal(signal.SIGKILL)
        await agent.says("envoy was ended by SIGKILL")
        await until_true(agent.answers)
        assert _said(agent, mesh).pid
        assert await agent.stop() == 0
    assert not _left(mesh)


def _left(mesh: Mesh) -> list[Path]:
    """The file that names its shared memory, which goes with it."""
    return list((mesh.directory / "workloads" / "reviews-1").glob("base-id"))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_tcp_connections_stay_with_the_old_envoy_until_its_time_is_over(mesh: Mesh) -> None:
    config = await mesh.config(
        "reviews-1",
        overlap_seconds=2.0,
        command=(sys.executable, "-c", TCP),
        ports=(parse_port("7000:auto", "tcp"),),
        upstreams=(Upstream(host="reviews", port=7000, variable="SELF"),),
    )
    async with mesh.serving(), running(config) as agent:
        await agent.says("is registered")
        port = int(agent.said.partition("address 127.0.0.1:")[2].split()[0])
        await until_true(lambda: _talks(port))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await _asked(reader, writer)
        agent.process.send_signal(signal.SIGUSR1)
        await until(lambda: _said(agent, mesh).epoch == 1)
        assert await _asked(reader, writer), "the old one still carries it"
        assert await _talks(port), "new ones are taken by the new one"
        assert await asyncio.wait_for(reader.read(), 10) == b"", "it is closed when the old one ends"
        writer.close()


async def _talks(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    answered = await _asked(reader, writer)
    writer.close()
    return answered


async def _asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    writer.write(b"hello\n")
    return (await asyncio.wait_for(reader.readline(), 5)).endswith(b"hello\n")


async def test_an_envoy_that_cannot_start_leaves_the_one_that_runs(mesh: Mesh, tmp_path: Path) -> None:
    broken = tmp_path / "envoy"
    real = _real_envoy()
    broken.symlink_to(real)
    async with mesh.serving(), running(await mesh.config("reviews-1", envoy_path=broken)) as agent:
        await agent.says("is registered")
        await until_true(agent.answers)
        broken.unlink()
        broken.write_text(f"#!/bin/sh\ncase $1 in --hot*) echo 1;; --version) exec {real} --version;; esac\nexit 3\n")
        broken.chmod(0o755)
        before = agent.child("envoy").pid
        agent.process.send_signal(signal.SIGUSR1)
        await agent.says("the envoy that runs stays: ")
        assert "share no hot restart" in _said(agent, mesh).problem
        assert agent.child("envoy").pid == before
        assert (await agent.call()).status == 200


def _real_envoy() -> str:
    from weft.kit.envoy_binary import find_envoy

    return str(find_envoy().path)


async def test_an_agent_becomes_another_program_and_nobody_notices(mesh: Mesh) -> None:
    async with mesh.serving(), running(await mesh.config("reviews-1", keep_output=True)) as agent:
        await agent.says("is registered")
        await until_true(agent.answers)
        envoy, application = agent.child("envoy").pid, agent.child("python").pid
        calls = Calls(agent)
        async with calls.going_on():
            for times in (2, 3):
                agent.process.send_signal(signal.SIGUSR2)
                await until(lambda times=times: agent.said.count("is ready as") == times)
                await until(lambda times=times: agent.said.count("is registered") == times)
                assert await mesh.healthy("reviews-1")
        assert set(calls.answers) == {"200"}, calls.answers
        assert (agent.child("envoy").pid, agent.child("python").pid) == (envoy, application)
        os.kill(application, 0)
        agent.child("envoy").send_signal(signal.SIGKILL)
        await agent.says("envoy was ended by SIGKILL")
        await until_true(agent.answers)
        with pytest.raises(Exception):  # noqa: B017, PT011  the answer never comes, or is a 503
            assert (await agent.call("http://reviews:9080/die")).status == 200
        assert await asyncio.wait_for(agent.process.wait(), 20) == 7
        await agent.says("weft:   | my last words")
        assert await mesh.entry("reviews-1") is None


async def test_a_command_upgrades_what_runs_on_this_host(
    mesh: Mesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    manager.bind(str(tmp_path / "manager"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "manager"))
    async with mesh.serving(), running(await mesh.config("reviews-1", overlap_seconds=2.0)) as agent:
        await agent.says("is registered")
        await until_true(agent.answers)
        code, said = await _weft(mesh, "proxy", "upgrade", "--all")
        assert (code, said.split(":")[0]) == (0, "reviews-1"), said
        assert "envoy 1." in said
        code, said = await _weft(mesh, "proxy", "here")
        assert code == 0
        assert "reviews-1" in said
        assert " 1 " in said, "one envoy took over"
        code, said = await _weft(mesh, "proxy", "upgrade", "nobody")
        assert code != 0
        assert "here run reviews-1" in said
        assert (await agent.call()).status == 200
        told = _heard(manager)
    assert told == ["READY=1", *["RELOADING=1", "READY=1"] * 2], "a manager knows of both, and that they are over"


def _heard(manager: socket.socket) -> list[str]:
    """What a service manager was told of its service's state."""
    found: list[str] = []
    with manager, contextlib.suppress(BlockingIOError):
        while message := manager.recv(4096).decode():
            found += [line for line in message.splitlines() if line in ("READY=1", "RELOADING=1")]
            assert ("RELOADING=1" in message) == ("MONOTONIC_USEC=" in message)
    return found


async def _weft(mesh: Mesh, *words: str) -> tuple[int, str]:
    """The exit code of a command, and what it says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "weft", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "WEFT_STATE": str(mesh.directory)},
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, said.decode()
