"""`weft logs` in a whole mesh: what an application and its sidecar say, followed, and refused without the right."""

import asyncio
import os
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

from tests.agent.rig import Agent, running, until_true
from tests.cli.conftest import Running, Weft, control_plane, weft
from weft.agent.config import AgentConfig, Restart, parse_port

__all__ = ["control_plane", "weft"]

pytestmark = [pytest.mark.asyncio, pytest.mark.live]
_SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        print("asked for", self.path, flush=True)
        print("warned of", self.path, file=sys.stderr, flush=True)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *args): pass
print("proxy", os.environ["http_proxy"], file=sys.stderr, flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def _config(plane: Running, directory: Path, token: str) -> AgentConfig:
    token_file = directory / "token"
    token_file.write_text(token)
    return AgentConfig(
        service="reviews",
        name="reviews-1",
        command=(sys.executable, "-c", _SERVER),
        state_dir=directory,
        ports=(parse_port("9080:auto"),),
        token_file=token_file,
        join_url=plane.addresses.agents,
        ca_file=plane.state.root / "ca" / "root.pem",
        drain_seconds=0.1,
        restart=Restart.NEVER,
        keep_output=True,
        heartbeat_seconds=0.5,
    )


async def _weft(weft: Weft, *arguments: str) -> str:
    done = await asyncio.to_thread(weft, "logs", "reviews-1", "-n", "shop", *arguments)
    assert done.code == 0, done.err
    return done.out


async def test_logs_are_read_followed_and_refused(control_plane: Running, weft: Weft, tmp_path: Path):
    token = (await asyncio.to_thread(weft, "token", "create", "-n", "shop", "--service-account", "reviews")).out.strip()
    async with running(_config(control_plane, tmp_path, token)) as agent:
        await agent.says("reviews-1 is registered for reviews")
        await until_true(agent.answers)
        await _reads(agent, weft)
        await _follows(control_plane, agent)
        await _is_written_down(control_plane)
        await _says_who_is_not_there(weft)


async def _reads(agent: Agent, weft: Weft) -> None:
    await agent.call("http://reviews:9080/first")
    out = await _weft(weft)
    assert "asked for /first\n" in out
    assert "warned of /first\n" in out
    await agent.call("http://reviews:9080/second")
    assert sorted((await _weft(weft, "--tail", "2")).splitlines()) == ["asked for /second", "warned of /second"]
    assert "/second" in await _weft(weft, "--since", "1m")
    assert "envoy" in await _weft(weft, "--sidecar") or await _weft(weft, "--sidecar") == ""


async def _follows(plane: Running, agent: Agent) -> None:
    process = _following(plane)
    try:
        assert process.stdout is not None
        reading = asyncio.create_task(asyncio.to_thread(process.stdout.readline))
        while not reading.done():
            await agent.call(f"http://reviews:9080/followed-{time.monotonic()}")
            await asyncio.wait({reading}, timeout=0.3)
        assert "/followed-" in reading.result()
    finally:
        process.kill()
        process.communicate()


def _following(plane: Running) -> "subprocess.Popen[str]":
    environment = os.environ | {"WEFT_STATE": str(plane.state.root)}
    command = [sys.executable, "-m", "weft", "logs", "reviews-1", "-n", "shop", "-f", "--tail", "0"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


async def _is_written_down(plane: Running) -> None:
    context = ssl.create_default_context(cafile=str(plane.state.root / "ca" / "root.pem"))
    headers = {"Authorization": f"Bearer {plane.state.admin_token.read_text().strip()}"}
    async with httpx2.AsyncClient(verify=context, headers=headers, trust_env=False) as client:
        answer = await client.get(f"{plane.addresses.api}/weft/v1/audit")
    found = [one for one in answer.json()["items"] if one.get("resource") == "workloads/log"]
    assert {one["detail"] for one in found} >= {"app", "sidecar", "app, follow"}
    assert "/first" not in answer.text


async def _says_who_is_not_there(weft: Weft) -> None:
    gone = await asyncio.to_thread(weft, "logs", "nobody-1", "-n", "shop")
    assert gone.code == 4
