"""T5: somebody is in between. Without a known root nobody is believed; no token leaves before."""

import contextlib
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.threats.forged import impostor
from tests.threats.plane import Plane

pytestmark = pytest.mark.live
TOKEN = "weft_join_" + "s" * 43


class Impostor:
    """Answers TLS as the control plane would, and keeps everything that it is told."""

    def __init__(self, home: Path) -> None:
        key, chain = impostor()
        (home / "impostor.pem").write_bytes(key + chain)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(home / "impostor.pem")
        self._context.set_alpn_protocols(["h2", "http/1.1"])
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.heard = b""
        self.callers = 0
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._socket.accept()
            except OSError:
                return
            self.callers += 1
            caller.settimeout(2)
            with caller, contextlib.suppress(OSError), self._context.wrap_socket(caller, server_side=True) as tls:
                self.heard += tls.recv(65536)
                tls.sendall(b'HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{"bundle": "x"}')

    def stop(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def between(tmp_path: Path) -> Iterator[Impostor]:
    one = Impostor(tmp_path)
    yield one
    one.stop()


def weft(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "WEFT_STATE": str(home / "state")}
    command = [sys.executable, "-m", "weft", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=environment)


def _runs(*options: str) -> tuple[str, ...]:
    return (
        "run",
        "--service=web",
        "--port=9080:auto",
        *options,
        "--",
        sys.executable,
        "-c",
        "import time; time.sleep(9)",
    )


def test_an_agent_without_a_root_does_not_start(between: Impostor, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    door = f"--join-url=https://127.0.0.1:{between.port}"
    done = weft(tmp_path, *_runs(door, f"--token-file={tmp_path}/token"))
    assert done.returncode != 0
    assert "--ca-file" in done.stderr
    assert between.callers == 0


@pytest.mark.parametrize("named", ["file", "fingerprint"])
def test_an_agent_tells_its_token_to_nobody_else(
    named: str, between: Impostor, attacked: Plane, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "root.pem").write_bytes(attacked.bundle)
    trust = f"--ca-file={tmp_path}/root.pem" if named == "file" else f"--ca-fingerprint={'ab' * 32}"
    door = f"--join-url=https://127.0.0.1:{between.port}"
    arguments = _runs(door, f"--token-file={tmp_path}/token", trust)
    process = subprocess.Popen(
        [sys.executable, "-m", "weft", *arguments],
        stderr=subprocess.PIPE,
        env={**os.environ, "WEFT_STATE": str(tmp_path / "state")},
    )
    deadline = time.monotonic() + 10
    while process.poll() is None and between.callers < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.terminate()
    said = process.communicate(timeout=10)[1]
    assert between.callers > 0, said
    assert TOKEN.encode() not in between.heard
    assert b"Traceback" not in said


@pytest.mark.parametrize("named", [False, True])
def test_the_command_line_tells_its_token_to_nobody_else(
    named: bool, between: Impostor, attacked: Plane, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "root.pem").write_bytes(attacked.bundle)
    trust = [f"--ca-file={tmp_path}/root.pem"] if named else []
    server = f"--server=https://127.0.0.1:{between.port}"
    done = weft(tmp_path, "get", "services", server, f"--token-file={tmp_path}/token", *trust)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "help:" in done.stderr
    assert between.heard == b""


def test_no_port_speaks_without_tls(attacked: Plane) -> None:
    for port in (attacked.api, attacked.agents, attacked.xds):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
            plain.sendall(b"GET /v1/bundle HTTP/1.1\r\nhost: localhost\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                assert b"HTTP/1.1" not in plain.recv(100)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_of_tls_are_refused(version: ssl.TLSVersion, attacked: Plane) -> None:
    context = attacked.trusting()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLS"):
        context.minimum_version = version
    with pytest.warns(DeprecationWarning, match="TLS"):
        context.maximum_version = version
    for port in (attacked.api, attacked.agents, attacked.xds):
        with (
            pytest.raises((ssl.SSLError, ConnectionError)),
            socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        ):
            context.wrap_socket(plain, server_hostname="localhost")
