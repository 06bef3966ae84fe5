"""An Envoy whose heap is nearly full takes no more requests, and takes them again when it has room."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench import static
from bench.servers import envoy_command, running
from tests.intents.minimesh import until
from weft.agent.bootstrap import overload
from weft.agent.config import AgentConfig, GatewayConfig

pytestmark = pytest.mark.live
HEAP = 64
"""MiB; an Envoy that does nothing has less than half of it."""
MUCH = 96 * 1024 * 1024
PIECE = bytes(1024 * 1024)


class _Slow(BaseHTTPRequestHandler):
    """Reads no body until it is let."""

    protocol_version = "HTTP/1.1"
    let = threading.Event()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.let.wait(60)
        self.close_connection = True

    def _answer(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def application() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Slow)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_port
    finally:
        _Slow.let.set()
        server.shutdown()
        server.server_close()
        thread.join()


def status(port: int) -> int:
    """What a new client is answered, 0 for a connection that ends."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            answer = connection.recv(4096)
    except OSError:
        return 0
    return int(answer.split()[1]) if answer else 0


def test_a_full_heap_refuses_new_requests_until_there_is_room(tmp_path: Path, free_port: Callable[[], int]) -> None:
    edge = GatewayConfig(bind="127.0.0.1")
    config = AgentConfig(service="s", name="s", command=(), state_dir=tmp_path, gateway=edge, most_heap=HEAP)
    port, _Slow.let = free_port(), threading.Event()
    with application() as app, contextlib.ExitStack() as stack:
        made = static.hop(port, app) | {"overload_manager": overload(config)}
        (listener,) = made["static_resources"]["listeners"]
        listener["per_connection_buffer_limit_bytes"] = 2 * MUCH
        for cluster in made["static_resources"]["clusters"]:
            cluster["per_connection_buffer_limit_bytes"] = 2 * MUCH
        stack.enter_context(running("overload", envoy_command("overload", made, tmp_path), tmp_path))
        until(lambda: status(port) == 200)
        with socket.create_connection(("127.0.0.1", port), 30) as greedy:
            greedy.sendall(f"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {2 * MUCH}\r\n\r\n".encode())
            for _ in range(MUCH // len(PIECE)):
                greedy.sendall(PIECE)
            until(lambda: status(port) in (0, 503))
            assert status(port) in (0, 503), "and it stays so"
        _Slow.let.set()
        until(lambda: status(port) == 200)
