"""A real control plane on free ports, in a thread of the test process, and the command line that talks to it."""

import asyncio
import io
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.api.client_ca import Pair
from weft.cli.main import main
from weft.kit.state_dir import StateDir
from weft.kit.value import Value

if TYPE_CHECKING:
    from weft.app.control_plane import Addresses

_START_SECONDS = 20.0


class Result(Value):
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


class Running(Value):
    """A running control plane."""

    state: StateDir
    addresses: "Addresses"


Weft = Callable[..., Result]


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One control plane for the tests of a module; they keep apart by namespaces."""
    with serving(tmp_path_factory.mktemp("state")) as running:
        yield running


@contextmanager
def serving(root: Path, **options: Any) -> Iterator[Running]:
    """A control plane with options of its own."""
    from weft.app.control_plane import Config, ControlPlane

    state = StateDir(root=root)
    started: list[Addresses] = []
    failed: list[BaseException] = []
    event = threading.Event()
    loops: list[tuple[asyncio.AbstractEventLoop, ControlPlane]] = []

    async def serve() -> None:
        plane = ControlPlane(Config(state=state, api_port=0, xds_port=0, agent_port=0, **options))
        loops.append((asyncio.get_running_loop(), plane))
        await plane.run(lambda addresses: (started.append(addresses), event.set()))  # type: ignore[func-returns-value]

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # noqa: BLE001  told to the test's own thread
            failed.append(error)
            event.set()

    thread = threading.Thread(target=run)
    thread.start()
    assert event.wait(_START_SECONDS)
    if failed:
        raise failed[0]
    try:
        yield Running(state=state, addresses=started[0])
    finally:
        loop, plane = loops[0]
        loop.call_soon_threadsafe(plane.stop)
        thread.join(_START_SECONDS)
    assert not thread.is_alive()
    assert failed == []


@pytest.fixture
def weft(control_plane: Running, monkeypatch: pytest.MonkeyPatch) -> Weft:
    """The command line, talking to the control plane of the module."""
    monkeypatch.setenv("WEFT_STATE", str(control_plane.state.root))
    return run_weft


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Weft:
    """The command line without any control plane."""
    monkeypatch.setenv("WEFT_STATE", str(tmp_path / "no-state"))
    return run_weft


def run_weft(*arguments: str, stdin: str = "") -> Result:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    given, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(stdin.encode()))
    code = 0
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main(list(arguments))
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    finally:
        sys.stdin = given
    return Result(code=code, out=out.getvalue(), err=err.getvalue())


def joined(running: Running, namespace: str, account: str) -> Pair:
    """A certificate of the mesh, as an agent gets it."""
    state = running.state
    token = run_weft(
        "token", "create", "-n", namespace, "--service-account", account,
        "--server", running.addresses.api, "--token-file", str(state.admin_token), "--ca-file", str(state.bundle),
    ).out.strip()  # fmt: skip
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    asked = {"token": token, "csr": request.public_bytes(serialization.Encoding.PEM).decode()}
    trust = ssl.create_default_context(cafile=state.bundle)
    answer = httpx2.post(f"{running.addresses.agents}/v1/join", json=asked, verify=trust, trust_env=False)
    leaf, *between = x509.load_pem_x509_certificates(answer.json()["chain"].encode())
    return Pair(leaf, key, b"".join(one.public_bytes(serialization.Encoding.PEM) for one in between))
