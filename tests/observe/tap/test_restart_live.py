"""A control plane that is killed while somebody watches: the one that starts anew takes away what was switched on."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.rig import SERVER, running, until
from tests.app.test_app import up
from weft.agent.config import AgentConfig, Restart, parse_port

pytestmark = [pytest.mark.asyncio, pytest.mark.live]


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


def _watched(admin: Path) -> bool:
    """Whether the proxy itself has a script that looks for requests."""
    connection = _Unix(admin)
    connection.request("GET", "/config_dump?resource=ecds_filters")
    content = connection.getresponse().read()
    connection.close()
    assert json.loads(content)["configs"]
    return b"envoy_on_request" in content


def _weft(state: Path, *arguments: str) -> "subprocess.Popen[str]":
    environment = os.environ | {"WEFT_STATE": str(state)}
    command = [sys.executable, "-m", "weft", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="weft-") as found:
        yield Path(found)


async def test_a_control_plane_that_was_killed_leaves_nothing_on_once_it_is_back(tmp_path: Path, home: Path):
    state = tmp_path / "state"
    with contextlib.ExitStack() as planes:
        first = planes.enter_context(up(state))
        ports = json.loads((state / "ports.json").read_text())
        token = home / "token"
        token.write_text(_weft(state, "token", "create", "-n", "shop", "--service-account", "web").communicate()[0])
        config = AgentConfig(
            service="web",
            name="web-1",
            command=(sys.executable, "-c", SERVER),
            state_dir=home,
            ports=(parse_port("9080:auto"),),
            token_file=token,
            join_url=ports["agents"],
            ca_file=state / "ca" / "root.pem",
            drain_seconds=0.1,
            restart=Restart.NEVER,
        )
        async with running(config) as agent:
            await agent.says("web-1 is registered for web")
            admin = home / "workloads" / "web-1" / "admin.sock"
            assert not _watched(admin)
            tap = _weft(state, "tap", "web", "-n", "shop")
            await until(lambda: _watched(admin))
            first.send_signal(signal.SIGKILL)
            first.wait()
            assert tap.wait(20) == 6
            tap.communicate()
            assert _watched(admin)
            numbers = [one.rpartition(":")[2] for one in (ports["api"], ports["xds"], ports["agents"])]
            options = [f"--{name}-port={one}" for name, one in zip(("api", "xds", "agent"), numbers, strict=True)]
            await asyncio.to_thread(planes.enter_context, up(state, *options))
            await until(lambda: not _watched(admin))
