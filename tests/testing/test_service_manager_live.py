"""What ``weft up`` and ``weft run`` tell a service manager, as its units have it; memory is as its units allow it."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from weft.testing.mesh import Mesh

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]
_PR_SET_MDWE = 65
APPLICATION = """
import http.server, os, time
assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & set(os.environ), "the manager is the agent's"
while not os.path.exists(os.environ["MAY_START"]):
    time.sleep(0.01)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), http.server.BaseHTTPRequestHandler).serve_forever()
"""


class Manager:
    """Hears what systemd would."""

    def __init__(self, place: Path) -> None:
        self.environment = {"NOTIFY_SOCKET": str(place), "WATCHDOG_USEC": "400000"}
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(place))
        self._socket.settimeout(30)

    def until(self, state: str) -> None:
        """Listen until something is said."""
        while state not in self.heard:
            self.heard += self._socket.recv(4096).decode().splitlines()

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    found = Manager(tmp_path / "n")
    yield found
    found.close()


def weft(*arguments: str, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    """A command of weft that may not make memory executable (``MemoryDenyWriteExecute=`` of weft.service)."""
    up = arguments[0] == "up"
    return subprocess.Popen(
        [sys.executable, "-m", "weft", *arguments],
        env={**os.environ, **environment},
        preexec_fn=(lambda: ctypes.CDLL(None).prctl(_PR_SET_MDWE, 1, 0, 0, 0)) if up else None,
    )


def test_a_control_plane_is_ready_when_it_answers_is_watched_and_says_that_it_stops(
    tmp_path: Path, manager: Manager
) -> None:
    ports = ("--api-port=0", "--xds-port=0", "--agent-port=0")
    process = weft("up", f"--state={tmp_path / 'state'}", *ports, environment=manager.environment)
    try:
        manager.until("READY=1")
        assert (tmp_path / "state" / "ports.json").exists()
        assert any(one.startswith("STATUS=API https://127.0.0.1:") for one in manager.heard)
        manager.until("WATCHDOG=1")
        process.send_signal(signal.SIGTERM)
        manager.until("STOPPING=1")
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


def test_a_workload_is_ready_when_its_application_is_well(mesh: Mesh, tmp_path: Path, manager: Manager) -> None:
    gate = tmp_path / "gate"
    token = tmp_path / "token"
    token.write_text(mesh.api.post("/weft/v1/tokens", {"namespace": "shop", "serviceAccount": "web"})["token"])
    options = ("--service=web", "--name=web-1", "--port=80:auto", "--health=tcp", f"--token-file={token}")
    environment = {**mesh.environment, **manager.environment, "MAY_START": str(gate)}
    command = (f"--join-url={mesh.addresses.agents}", "--drain-seconds=0", "--", sys.executable, "-c", APPLICATION)
    process = weft("run", *options, *command, environment=environment)
    try:
        manager.until("STATUS=the sidecar is ready, the application is not")
        manager.until("WATCHDOG=1")
        assert "READY=1" not in manager.heard
        gate.touch()
        manager.until("READY=1")
        assert "STATUS=web-1 serves web" in manager.heard
        process.send_signal(signal.SIGTERM)
        manager.until("STOPPING=1")
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
