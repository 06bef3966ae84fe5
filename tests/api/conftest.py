"""An API over a memory store: in the process for details of the protocol, behind TLS for real clients."""

import asyncio
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
import trustme
import uvicorn
from starlette.applications import Starlette

from tests.api.api_requests import Reviewer
from weft.api.builtin_roles import MASTERS
from weft.api.server import build_api
from weft.api.subjects import Subject
from weft.kit.clock import FakeClock, SystemClock
from weft.store.memory import MemoryStore

TOKEN = "a-token-of-this-test"


async def authenticate(token: str) -> Subject | None:
    return Subject(name="tester", groups=("people", MASTERS)) if token == TOKEN else None


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> MemoryStore:
    return MemoryStore(clock)


@pytest.fixture
def reviewer() -> Reviewer:
    return Reviewer()


@pytest.fixture
def app(store: MemoryStore, reviewer: Reviewer, clock: FakeClock) -> Starlette:
    return build_api(store=store, review=reviewer, authenticate=authenticate, clock=clock)


@pytest_asyncio.fixture
async def client(app: Starlette) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=app)
    headers = {"Authorization": f"Bearer {TOKEN}", "User-Agent": "tests/1"}
    async with httpx2.AsyncClient(transport=transport, base_url="https://127.0.0.1", headers=headers) as opened:
        yield opened


class Live:
    """A real server in a thread, and the real kubectl in front of it."""

    def __init__(self, directory: Path, port: int) -> None:
        self.port = port
        self.kubeconfig = directory / "kubeconfig"
        self.ca = directory / "ca.pem"
        self._cache = directory / "cache"
        self._directory = directory

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def command(self, *arguments: str) -> list[str]:
        kubectl = shutil.which("kubectl")
        if kubectl is None:
            pytest.skip("kubectl is not installed (Debian: kubernetes-client)")
        return [kubectl, f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self._cache}", *arguments]

    def run(self, *arguments: str, stdin: str = "", code: int = 0) -> str:
        """What kubectl says on both streams; its exit code must be ``code``."""
        done = subprocess.run(
            self.command(*arguments), input=stdin, capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    @contextmanager
    def watching(self, *arguments: str) -> Iterator[Callable[[], str]]:
        """A kubectl that goes on, and what it has said so far."""
        output = self._directory / "watch.txt"
        with output.open("w") as file, subprocess.Popen(self.command(*arguments), stdout=file, stderr=file) as process:
            try:
                yield output.read_text
            finally:
                process.terminate()

    def write(self, name: str, text: str) -> str:
        path = self._directory / name
        path.write_text(text)
        return str(path)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    directory = tmp_path_factory.mktemp("live")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(directory / "server.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = Live(directory, listener.getsockname()[1])
        found.kubeconfig.write_text(json.dumps(_kubeconfig(found)))
        with _serving(listener, directory / "server.pem"):
            yield found


def _kubeconfig(live: Live) -> dict[str, Any]:
    cluster = {"server": live.url, "certificate-authority": str(live.ca)}
    context = {"cluster": "weft", "user": "weft", "namespace": "shop"}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "weft", "cluster": cluster}],
        "users": [{"name": "weft", "user": {"token": TOKEN}}],
        "contexts": [{"name": "weft", "context": context}],
        "current-context": "weft",
    }


class _Serving:
    def __init__(self, listener: socket.socket, certificate: Path) -> None:
        self._listener = listener
        store = MemoryStore(SystemClock())
        app = build_api(store=store, review=Reviewer(), authenticate=authenticate)
        config = uvicorn.Config(
            app, ssl_certfile=certificate, ssl_keyfile=certificate, lifespan="off", log_level="warning", ws="none",
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._listener]))

    def __enter__(self) -> None:
        self._thread.start()
        wait_for(lambda: self._server.started)

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)


_serving = _Serving


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Sleep until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)
