"""Real Envoys that run compiled resources, and applications behind them."""

import contextlib
import http.client
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.compiler.bootstrap import static_bootstrap
from weft.compiler.resource import Resources
from weft.kit.envoy_binary import find_envoy

_START_TIMEOUT = 20.0


class Sidecar:
    """A running Envoy."""

    def __init__(self, process: subprocess.Popen[bytes], directory: Path, log: Path) -> None:
        self.process = process
        self._admin = directory / "admin.sock"
        self._log = log

    def ask(self, path: str) -> str:
        """What the admin interface answers."""
        connection = http.client.HTTPConnection("localhost")
        with contextlib.closing(connection), socket.socket(socket.AF_UNIX) as connection.sock:
            connection.sock.settimeout(5)
            connection.sock.connect(str(self._admin))
            connection.request("GET", path)
            return connection.getresponse().read().decode()

    def statistic(self, name: str) -> int:
        """A counter; 0 if it was never counted."""
        found = [line.rsplit(": ", 1) for line in self.ask("/stats").splitlines()]
        return next((int(value) for key, value in found if key == name), 0)

    def wait(self) -> None:
        """Return once it serves; fail with its log when it ends instead."""
        deadline = time.monotonic() + _START_TIMEOUT
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self._log.read_text()
            with contextlib.suppress(OSError):
                if json.loads(self.ask("/server_info"))["state"] == "LIVE":
                    return
            time.sleep(0.02)
        raise AssertionError(self._log.read_text())


@contextlib.contextmanager
def sidecar(resources: Resources, directory: Path, secrets, *, namespace: str = "") -> Iterator[Sidecar]:
    """An Envoy with these resources until the block ends, perhaps in a network namespace."""
    directory.mkdir(exist_ok=True)
    path, log = directory / "bootstrap.pb", directory / "envoy.log"
    bootstrap = static_bootstrap(resources, directory, secrets, admin="admin.sock")
    path.write_bytes(bootstrap.SerializeToString())
    command = [str(find_envoy().path), "--config-path", str(path), "--concurrency", "1", "--disable-hot-restart"]
    command = [*(("ip", "netns", "exec", namespace) if namespace else ()), *command]
    with log.open("wb") as output, subprocess.Popen([*command, "--log-level", "warning"], stderr=output) as process:
        running = Sidecar(process, directory, log)
        try:
            running.wait()
            yield running
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({"path": self.path, "name": self.server.name, "headers": dict(self.headers)}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@contextlib.contextmanager
def application(port: int = 0, name: str = "app") -> Iterator[int]:
    """An application that answers with what it was asked; yields its port."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _Echo)
    server.name = name
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Answer:
    """What came back."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = dict(response.getheaders())
        self.body = response.read()

    @property
    def seen(self) -> dict:
        """What the application says it saw."""
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """A header that the application saw."""
        return next((value for key, value in self.seen["headers"].items() if key.lower() == name), None)


def get(port: int, url: str, **headers: str) -> Answer:
    """A request to a local port; with an absolute URL it is a proxy request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        host = {"Host": url.split("/")[2]} if url.startswith("http://") else {}
        connection.request("GET", url, headers=host | headers)
        return Answer(connection.getresponse())
    finally:
        connection.close()
