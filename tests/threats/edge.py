"""An application behind a real gateway, each started by ``weft`` as users start them, and clients that send bytes."""

import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from tests.threats.plane import Plane

ECHO = """
import http.server, json, os
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        length = int(self.headers.get("content-length") or 0)
        read = len(self.rfile.read(length))
        headers = [[name.lower(), value] for name, value in self.headers.items()]
        body = json.dumps({"line": self.requestline, "headers": headers, "read": read}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = answer
    def log_message(self, *args): pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024
    def handle_error(self, *args): pass
Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
_SECONDS = 5.0
MOST = 300
"""Connections that the gateway takes."""


class Process:
    """Something that ``weft`` runs, and what it says."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_for(self, words: str, seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while words not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.02)

    @property
    def envoy(self) -> psutil.Process:
        """The proxy that it looks after."""
        children = psutil.Process(self.process.pid).children()
        return next(one for one in children if "envoy" in one.name())

    def admin(self) -> Path:
        """The Unix socket of the proxy's admin interface."""
        config = next(text for text in self.envoy.cmdline() if text.endswith("bootstrap.json"))
        return Path(json.loads(Path(config).read_text())["admin"]["address"]["pipe"]["path"])

    def ask(self, path: str, method: str = "GET") -> str:
        """What the admin interface answers."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_SECONDS)
            connection.connect(str(self.admin()))
            connection.sendall(f"{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        return answer.decode(errors="replace")

    def statistic(self, name: str) -> int:
        """A counter or gauge; the sum of all whose name ends so."""
        lines = (line.rsplit(": ", 1) for line in self.ask("/stats").splitlines() if ": " in line)
        return sum(int(value) for key, value in lines if key.endswith(name) and value.isdigit())


@contextlib.contextmanager
def member(attacked: Plane, home: Path, name: str, *arguments: str, namespace: str = "shop") -> Iterator[Process]:
    """A process of ``weft`` with a join token of its own."""
    token = home / f"{name}.token"
    token.write_text(attacked.join_token(namespace, name))
    given = [f"--token-file={token}", f"--join-url=https://127.0.0.1:{attacked.agents}"]
    given += [f"--ca-file={attacked.state}/ca/root.pem"]
    place = arguments.index("--") if "--" in arguments else len(arguments)
    command, rest = arguments[:place], arguments[place:]
    log = home / f"{name}.log"
    environment = {**os.environ, "WEFT_STATE": str(home / "members")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "weft", *command, *given, *rest], stderr=output, stdout=output, env=environment
        )
    try:
        yield Process(process, log)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def service(attacked: Plane, home: Path, name: str) -> Iterator[Process]:
    """An application that answers with what it got, meshed."""
    options = (f"--service={name}", f"--name={name}-1", "--port=9080:auto", "--drain-seconds=0")
    with member(attacked, home, name, "run", *options, "--", sys.executable, "-c", ECHO) as running:
        running.wait_for("is registered")
        yield running


def applied(attacked: Plane, group: str, plural: str, kind: str, name: str, spec: dict[str, Any]) -> None:
    """Write a document of the namespace ``shop``."""
    content = {"apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    answer = attacked.ask("POST", f"/apis/{group}/v1/namespaces/shop/{plural}", content)
    assert answer.status == 201, answer


class Edge:
    """The gateway ``edge``: its plaintext port for requests, and the processes behind it."""

    def __init__(self, attacked: Plane, gateway: Process, app: Process, port: int) -> None:
        self.attacked = attacked
        self.gateway = gateway
        self.app = app
        self.port = port

    def connect(self, port: int = 0) -> socket.socket:
        return socket.create_connection(("127.0.0.1", port or self.port), _SECONDS)

    def send(self, raw: bytes, port: int = 0) -> tuple[int, dict[str, str], bytes]:
        """The status, headers and body that bytes are answered with; status 0 for a connection that ends."""
        with self.connect(port) as connection:
            try:
                connection.sendall(raw)
            except ConnectionError:
                return 0, {}, b""
            return answered(connection)

    def get(self, path: str = "/", host: str = "shop.example.com", **headers: str) -> tuple[int, dict[str, str], bytes]:
        lines = [f"GET {path} HTTP/1.1", f"host: {host}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def seen(self, path: str = "/", **headers: str) -> dict[str, list[str]]:
        """The headers that the application saw."""
        status, _, body = self.get(path, **headers)
        assert status == 200, (status, body)
        found: dict[str, list[str]] = {}
        for name, value in json.loads(body)["headers"]:
            found.setdefault(name, []).append(value)
        return found


def answered(connection: "socket.socket | ssl.SSLSocket") -> tuple[int, dict[str, str], bytes]:
    """One answer; status 0 for a connection that ends, or says nothing for long."""
    received = b""
    try:
        while b"\r\n\r\n" not in received:
            more = connection.recv(65536)
            if not more:
                return 0, {}, received
            received += more
        head, _, body = received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        while len(body) < int(headers.get("content-length", "0")):
            body += connection.recv(65536)
    except (ConnectionError, TimeoutError):
        return 0, {}, received
    return int(lines[0].split()[1]), headers, body


@contextlib.contextmanager
def edge(attacked: Plane, home: Path, port: int) -> Iterator[Edge]:
    """Everything until the block ends."""
    server = {"port": {"number": port, "name": "http", "protocol": "HTTP"}, "hosts": ["*.example.com"]}
    istio = "networking.istio.io"
    applied(attacked, istio, "gateways", "Gateway", "edge", {"selector": {"app": "edge"}, "servers": [server]})
    routes = [{"route": [{"destination": {"host": "reviews"}}]}]
    rules = {"hosts": ["*.example.com"], "gateways": ["edge"], "http": routes}
    applied(attacked, istio, "virtualservices", "VirtualService", "edge", rules)
    options = (
        "--name=edge",
        "--label=app=edge",
        "--health-port=0",
        "--drain-seconds=0",
        "--workers=1",
        f"--max-connections={MOST}",
    )
    with (
        service(attacked, home, "reviews") as app,
        member(attacked, home, "edge", "gateway", "run", *options) as gateway,
    ):
        gateway.wait_for("is ready as")
        made = Edge(attacked, gateway, app, port)
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError):
                if made.get()[0] == 200:
                    break
            assert time.monotonic() < deadline, gateway.said
            time.sleep(0.05)
        yield made


def weft_of(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of ``weft`` with the state below ``home``, run to its end."""
    environment = {**os.environ, "WEFT_STATE": str(home / "state")}
    command = [sys.executable, "-m", "weft", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=environment)
