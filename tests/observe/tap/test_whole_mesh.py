"""Live requests in a whole mesh: a control plane, an agent with its Envoy, and `weft tap`, `weft replay`."""

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
import pytest_asyncio

from tests.agent.rig import Agent, running, until_true
from tests.cli.conftest import Running, Weft, control_plane, weft
from weft.agent.config import AgentConfig, Restart, parse_port
from weft.cli.main import main
from weft.kit.redaction import HIDDEN

__all__ = ["control_plane", "main", "weft"]

pytestmark = [pytest.mark.asyncio, pytest.mark.live]
_SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = b'{"ok": true, "token": "geheim"}'
        self.send_response(500 if self.path == "/fail" else 200)
        self.send_header("content-type", "application/json")
        self.send_header("set-cookie", "id=1")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.do_GET()
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
    )


@pytest_asyncio.fixture
async def agent(control_plane: Running, weft: Weft, tmp_path: Path) -> AsyncIterator[Agent]:
    token = (await asyncio.to_thread(weft, "token", "create", "-n", "shop", "--service-account", "reviews")).out.strip()
    async with running(_config(control_plane, tmp_path, token)) as found:
        await found.says("reviews-1 is registered for reviews")
        await until_true(found.answers)
        yield found


class Tap:
    """`weft tap` as a process of its own, since it ends when a signal comes."""

    def __init__(self, plane: Running, *arguments: str) -> None:
        environment = os.environ | {"WEFT_STATE": str(plane.state.root)}
        command = [sys.executable, "-m", "weft", "tap", *arguments]
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=_heed_interrupts,
        )

    async def watches(self) -> None:
        """Return once a sidecar is watched."""
        assert self._process.stderr is not None
        while True:
            line = await asyncio.to_thread(self._process.stderr.readline)
            assert line, "it ended before it watched"
            if "watching" in line:
                return

    async def ended(self, by: int = 0) -> str:
        """What it gave in all, after a signal if there is one."""
        if by:
            self._process.send_signal(by)
        out, err = await asyncio.to_thread(self._communicated)
        assert self._process.returncode == (-by if by == signal.SIGKILL else 130 if by else 0), err
        return out

    def _communicated(self) -> tuple[str, str]:
        try:
            return self._process.communicate(timeout=20)
        finally:
            self._process.kill()


def _heed_interrupts() -> None:
    """Shells let what they run in the background ignore interrupts, and so would all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _api(plane: Running) -> httpx2.AsyncClient:
    token = plane.state.admin_token.read_text().strip()
    context = ssl.create_default_context(cafile=str(plane.state.root / "ca" / "root.pem"))
    headers = {"Authorization": f"Bearer {token}"}
    return httpx2.AsyncClient(base_url=plane.addresses.api, headers=headers, verify=context, trust_env=False)


async def _extensions(plane: Running) -> str:
    async with _api(plane) as client:
        return (await client.get("/weft/v1/proxies/reviews-1.shop/config/extensions")).text


async def _audit(plane: Running) -> list[dict[str, Any]]:
    async with _api(plane) as client:
        found = (await client.get("/weft/v1/audit", params={"verb": "tap"})).json()["items"]
    return [one for one in found if one["verb"] == "tap"]


def _off(plane: Running) -> Callable[[], Awaitable[bool]]:
    async def off() -> bool:
        return "envoy_on_request" not in await _extensions(plane)

    return off


async def test_requests_are_shown_recorded_and_sent_again(
    control_plane: Running, agent: Agent, weft: Weft, tmp_path: Path
):
    recording = tmp_path / "recording"
    tap = Tap(
        control_plane, "reviews", "-n", "shop", "--headers", "*", "--body", "1k", "--max", "3", "-o", "json",
        "--record", str(recording),
    )  # fmt: skip
    await tap.watches()
    assert "envoy_on_request" in await _extensions(control_plane)
    await agent.call("http://reviews:9080/one?token=abc&page=2")
    await agent.call("http://reviews:9080/two")
    await agent.call("http://reviews:9080/fail")
    seen = [json.loads(line) for line in (await tap.ended()).splitlines()]
    assert [one["path"] for one in seen] == [f"/one?token={HIDDEN}&page=2", "/two", "/fail"]
    assert [one["status"] for one in seen] == [200, 200, 500]
    assert seen[0]["responseBody"]["text"] == f'{{"ok": true, "token": "{HIDDEN}"}}'
    assert ["set-cookie", HIDDEN] in seen[0]["responseHeaders"]
    assert seen[0]["source"]["identity"].endswith("/ns/shop/sa/reviews")
    await until_true(_off(control_plane))

    entries = await _audit(control_plane)
    told = [one["detail"] for one in entries]
    assert any(one.startswith("begun") and "bodies=1024 bytes" in one for one in told), told
    assert any(one.startswith("ended (max)") for one in told), told
    assert "geheim" not in json.dumps(entries)
    assert entries[0]["resource"] == "services/bodies"

    port = await _application_port(agent)
    replayed = await asyncio.to_thread(
        weft, "replay", str(recording), "--to", f"http://127.0.0.1:{port}", "--rate", "50/s", "--compare"
    )
    assert replayed.code == 0, replayed.err + replayed.out
    assert "1 requests are left out: something in their path is hidden" in replayed.err
    assert "2 requests sent, 0 with another status" in replayed.err
    recording.write_text(recording.read_text().replace('"status":500', '"status":200'))
    replayed = await asyncio.to_thread(
        weft, "replay", str(recording), "--to", f"http://127.0.0.1:{port}", "--rate", "9x", "--compare"
    )
    assert replayed.code == 1
    assert "/fail" in replayed.out


async def _application_port(agent: Agent) -> int:
    """The application's own port, which its environment names."""
    for child in psutil.Process(agent.process.pid).children(recursive=True):
        if child.cmdline()[1:2] == ["-c"]:
            return int(child.environ()["PORT"])
    raise AssertionError("the application does not run")


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
async def test_a_watcher_that_goes_away_leaves_nothing_switched_on(control_plane: Running, agent: Agent, by: int):
    tap = Tap(control_plane, "workload/reviews-1", "-n", "shop")
    await tap.watches()
    assert "envoy_on_request" in await _extensions(control_plane)
    await tap.ended(by)
    await until_true(_off(control_plane))


async def test_a_watcher_whose_right_is_taken_away_sees_no_more(control_plane: Running, agent: Agent, weft: Weft):
    async with _api(control_plane) as client:
        rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop"
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "edits"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
            "subjects": [{"kind": "User", "name": "jane", "apiGroup": "rbac.authorization.k8s.io"}],
        }
        assert (await client.post(f"{rbac}/rolebindings", json=binding)).status_code == 201
        token = (await client.post("/weft/v1/api-tokens", json={"user": "jane", "ttlSeconds": 600})).json()["token"]
        own = {"Authorization": f"Bearer {token}"}
        for refused in ("namespace=bank", "namespace=shop&body=10", ""):
            assert (await client.get(f"/weft/v1/tap?{refused}", headers=own)).status_code == 403, refused
        async with client.stream("GET", "/weft/v1/tap?namespace=shop", headers=own) as answer:
            assert answer.status_code == 200
            lines = answer.aiter_lines()
            assert json.loads(await anext(lines))["proxies"] == ["reviews-1.shop"]
            assert (await client.delete(f"{rbac}/rolebindings/edits")).status_code == 200
            last = [json.loads(line) async for line in lines][-1]
        assert (last["type"], last["reason"]) == ("end", "no longer allowed")
    await until_true(_off(control_plane))
