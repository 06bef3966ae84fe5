"""Applications that know nothing of traces pass them on: every server and client, started as users do."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import httpx2
import pytest

pytestmark = pytest.mark.slow

_INJECT = Path(__file__).parents[2] / "client" / "src" / "weft_client" / "inject"
_APPLICATION = Path(__file__).with_name("application.py")
_SENT = {
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "tracestate": "a=1",
    "baggage": "user=7",
    "b3": "0",
    "x-request-id": "r-1",
    "x-other": "not passed on",
}
_PASSED = {name: value for name, value in _SENT.items() if name != "x-other"}
_SERVERS = (
    "uvicorn", "hypercorn", "hypercorn.wsgi", "gunicorn", "waitress", "werkzeug", "wsgiref", "http.server",
    "aiohttp.web",
)  # fmt: skip
_CLIENTS = ("urllib", "httpx", "httpx.async", "httpx2", "requests", "aiohttp", "grpc", "grpc.aio")


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        seen = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(seen)))
        self.end_headers()
        self.wfile.write(seen)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def http_callee() -> Iterator[str]:
    """Answers with the headers that it saw."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def grpc_callee() -> Iterator[str]:
    """Answers with the metadata that it saw."""
    server = grpc.server(ThreadPoolExecutor(2))
    handler = grpc.unary_unary_rpc_method_handler(
        lambda _, context: json.dumps(dict(context.invocation_metadata())).encode()
    )
    server.add_registered_method_handlers("test.Echo", {"Seen": handler})
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


@contextmanager
def _application(server: str, client: str, port: int, callee: str, **variables: str) -> Iterator[str]:
    environment = {**os.environ, "PYTHONPATH": str(_INJECT), "NO_PROXY": "*", **variables}
    command = [sys.executable, str(_APPLICATION), server, client, str(port), callee]
    with subprocess.Popen(command, env=environment) as process:
        try:
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def _seen(address: str) -> dict[str, str]:
    """What the callee saw of a call, as soon as the application answers."""
    deadline = time.monotonic() + 20
    while True:
        try:
            answer: dict[str, str] = httpx2.get(f"http://{address}/", headers=_SENT, timeout=10).json()
            return answer
        except httpx2.TransportError:
            assert time.monotonic() < deadline, "the application does not answer"
            time.sleep(0.05)


def _passed(seen: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in seen.items() if name in _SENT}


@pytest.mark.parametrize("server", _SERVERS)
def test_every_server_is_looked_at(server: str, http_callee: str, free_port: Callable[[], int]):
    with _application(server, "urllib", free_port(), http_callee) as address:
        assert _passed(_seen(address)) == _PASSED


@pytest.mark.parametrize("client", _CLIENTS)
def test_every_client_carries_the_headers_on(
    client: str, http_callee: str, grpc_callee: str, free_port: Callable[[], int]
):
    callee = grpc_callee if client.startswith("grpc") else http_callee
    with _application("uvicorn", client, free_port(), callee) as address:
        seen = _seen(address)
    assert _passed(seen) == _PASSED
    assert client != "aiohttp" or seen["x-own"] == "1"


@pytest.mark.parametrize("server", ["grpc", "grpc.aio"])
def test_calls_of_grpc_are_looked_at(server: str, grpc_callee: str, free_port: Callable[[], int]):
    client = server if server == "grpc.aio" else "grpc"
    with (
        _application(server, client, free_port(), grpc_callee) as address,
        grpc.insecure_channel(address) as channel,
    ):
        grpc.channel_ready_future(channel).result(20)
        answer = channel.unary_unary("/test.Echo/Seen")(b"", timeout=10, metadata=tuple(_SENT.items()))
    assert _passed(json.loads(answer)) == _PASSED


def test_it_can_be_turned_off(http_callee: str, free_port: Callable[[], int]):
    with _application("uvicorn", "httpx", free_port(), http_callee, WEFT_TRACE_HEADERS="off") as address:
        assert _passed(_seen(address)) == {}


def test_an_application_keeps_the_sitecustomize_that_it_has(
    http_callee: str, free_port: Callable[[], int], tmp_path: Path
):
    (tmp_path / "sitecustomize.py").write_text("import os\nos.environ['CUSTOM'] = 'yes'\n")
    environment = {**os.environ, "PYTHONPATH": f"{_INJECT}{os.pathsep}{tmp_path}"}
    script = "import os, sys; print(os.environ.get('CUSTOM'), 'weft_client.hooks' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True, timeout=20
    )
    assert done.stdout.split() == ["yes", "True"]
    assert done.stderr == ""
