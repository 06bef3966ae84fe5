"""A drain that outlasts its workload's lease, and the control plane: what is under way ends well, nothing new comes."""

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agent.rig import Agent, Mesh, running, until, until_true
from weft.agent.config import AgentConfig, Probe, ProbeKind

pytestmark = [pytest.mark.asyncio]
LEASE = 3.0
CALLER = 'import os, signal, sys; print("proxy", os.environ["http_proxy"], file=sys.stderr, flush=True); signal.pause()'
STREAMS = """
import http.server, os, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        print("called", self.path, file=sys.stderr, flush=True)
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        while self.path == "/stream" and not os.path.exists({file!r}):
            self.wfile.write(b"1\\r\\n.\\r\\n")
            time.sleep(0.1)
        self.wfile.write(b"4\\r\\ndone\\r\\n0\\r\\n\\r\\n")
    def log_message(self, *args): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def mesh(tmp_path: Path, free_port: Callable[[], int]) -> Mesh:
    return Mesh(tmp_path, free_port(), free_port(), lifetime=3600.0)


class _Stream:
    """A call through the caller's sidecar whose answer goes on."""

    def __init__(self, caller: Agent) -> None:
        self._port = int(caller.said.partition("proxy http://127.0.0.1:")[2].split()[0])
        self.body = b""
        self.ended = False

    async def run(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(b"GET http://reviews:9080/stream HTTP/1.1\r\nhost: reviews:9080\r\n\r\n")
        while not self.body.endswith(b"0\r\n\r\n") and (piece := await reader.read(4096)):
            self.body += piece
        self.ended = True
        writer.close()


async def _configs(mesh: Mesh, finish: Path, **changes: float) -> tuple[AgentConfig, AgentConfig]:
    command = (sys.executable, "-c", STREAMS.format(file=str(finish)))
    goes = await mesh.config("reviews-1", command=command, **changes)
    probe = Probe(kind=ProbeKind.NONE)
    return goes, await mesh.config(
        "caller-1", service="caller", ports=(), command=(sys.executable, "-c", CALLER), probe=probe
    )


async def _drains(mesh: Mesh) -> bool:
    entry = await mesh.entry("reviews-1")
    return entry is not None and entry["status"]["conditions"][0].get("reason") == "Draining"


async def _drains_for(mesh: Mesh, seconds: float) -> None:
    """It is told as draining the whole time."""
    ends = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < ends:
        assert await _drains(mesh), await mesh.entry("reviews-1")
        await asyncio.sleep(0.1)


async def _stays(mesh: Mesh, tmp_path: Path, leases: float, **changes: float) -> None:
    finish = tmp_path / "finish"
    goes, calls = await _configs(mesh, finish, **changes)
    async with running(goes) as agent, running(calls) as caller:
        async with mesh.serving():
            await agent.says("is registered")
            await caller.says("is registered")
            await until_true(caller.answers)
            stream = _Stream(caller)
            streaming = asyncio.ensure_future(stream.run())
            await agent.says("called /stream")
            agent.process.send_signal(signal.SIGTERM)
            await until_true(lambda: _drains(mesh))
            await until_true(lambda: _turned_away(caller))
            called = agent.said.count("called")
            await _drains_for(mesh, leases * mesh.lease)
        async with mesh.serving():
            await _drains_for(mesh, leases * mesh.lease)
            assert await _turned_away(caller)
            before = len(stream.body)
            await until(lambda: len(stream.body) > before)
            assert not stream.ended
            assert agent.said.count("called") == called
            finish.touch()
            await asyncio.wait_for(streaming, 20)
            assert stream.body.endswith(b"done\r\n0\r\n\r\n")
            assert await asyncio.wait_for(agent.process.wait(), 30) == 0
            assert await mesh.entry("reviews-1") is None


async def _turned_away(caller: Agent) -> bool:
    """Whether a new call is not led to it: there is nobody else."""
    return (await caller.call()).status == 503


@pytest.mark.live
@pytest.mark.timeout(120)
async def test_a_drain_that_outlasts_the_lease_and_the_control_plane_loses_nothing(mesh: Mesh, tmp_path: Path) -> None:
    mesh.lease = LEASE
    await _stays(mesh, tmp_path, 1.2, drain_seconds=90.0, heartbeat_seconds=0.3)


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_a_drain_of_minutes_with_the_usual_leases_loses_nothing(mesh: Mesh, tmp_path: Path) -> None:
    await _stays(mesh, tmp_path, 10.0, drain_seconds=600.0)
