"""What a revoked certificate can still do: nothing at the control plane, at once, and nothing at sidecars soon."""

import asyncio
import contextlib
import json
import ssl
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.agent.rig import SERVER, Agent, running
from tests.cli.conftest import Running, Weft, run_weft
from tests.cli.workload import Workload
from weft.agent.config import AgentConfig, Restart, parse_port, parse_upstream

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.live]
REQUEST = b"GET / HTTP/1.1\r\nhost: reviews:9080\r\n\r\n"
SOON = 15.0
"""Seconds; the promise is 60."""


class Peer(Workload):
    """A workload that talks to the sidecar of another one with nothing but its certificate."""

    def __init__(self, plane: Running, port: int) -> None:
        super().__init__(plane)
        self._port = port

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.set_alpn_protocols(["istio"])
        context.load_verify_locations(cadata=self.issued["bundle"])
        with tempfile.NamedTemporaryFile() as file:
            file.write(self.key + self.issued["chain"].encode())
            file.flush()
            context.load_cert_chain(file.name)
        return await asyncio.open_connection("127.0.0.1", self._port, ssl=context, server_hostname="reviews")

    async def is_heard(self) -> bool:
        """Whether a new connection is answered."""
        with contextlib.suppress(OSError, ssl.SSLError):
            reader, writer = await self.connect()
            try:
                return await _answered(reader, writer)
            finally:
                writer.close()
        return False


async def _answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
        writer.write(REQUEST)
        async with asyncio.timeout(5):
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"HTTP/1.1 200"):
                await reader.readexactly(5)
                return True
    return False


async def soon(condition: Callable[[], object], what: str, seconds: float = SOON) -> None:
    started = time.monotonic()
    while not await condition():  # type: ignore[misc]
        assert time.monotonic() - started < seconds, what
        await asyncio.sleep(0.1)


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(1024):
            writer.write(piece)
    writer.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def echo() -> AsyncIterator[int]:
    """The port of an application that says again what it hears."""
    made = await asyncio.start_server(_echo, "127.0.0.1", 0)
    async with made:
        yield made.sockets[0].getsockname()[1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(control_plane: Running, echo: int, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Agent]:
    """``reviews-1``, through its own sidecar too."""
    directory = tmp_path_factory.mktemp("agents")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEFT_STATE", str(control_plane.state.root))
        token = await asyncio.to_thread(run_weft, "token", "create", "-n", "shop", "--service", "reviews")
    (directory / "token").write_text(token.out)
    config = AgentConfig(
        service="reviews",
        name="reviews-1",
        command=(sys.executable, "-c", SERVER),
        state_dir=directory,
        ports=(parse_port("9080:auto"), parse_port(f"echo:9443:{echo}/tcp")),
        token_file=directory / "token",
        join_url=control_plane.addresses.agents,
        ca_file=control_plane.state.bundle,
        drain_seconds=0.1,
        restart=Restart.NEVER,
    )
    async with running(config) as agent:
        await agent.says("is registered")
        yield agent
        await agent.stop()


async def peer(control_plane: Running, weft: Weft, account: str, name: str) -> Peer:
    made = await asyncio.to_thread(weft, "token", "create", "-n", "shop", "--service-account", account)
    entry = await asyncio.to_thread(weft, "get", "workloadentries", "reviews-1", "-n", "shop", "-o", "json")
    found = Peer(control_plane, json.loads(entry.out)["spec"]["ports"]["http-9080"])
    assert await asyncio.to_thread(lambda: found.join(token=made.out.strip(), name=name)) == 200
    await soon(found.is_heard, "the server is there")
    return found


async def test_a_workload_is_revoked_alone_everywhere_and_taken_back(
    control_plane: Running, weft: Weft, server: Agent
) -> None:
    thief = await peer(control_plane, weft, "web", "web-stolen")
    other = await peer(control_plane, weft, "web", "web-good")
    assert await asyncio.to_thread(thief.renew, name="web-stolen") == 200, "revoked is the line, not one certificate"
    assert (await asyncio.to_thread(thief.register, "web-stolen", "web")).status_code == 200
    assert (await asyncio.to_thread(thief.ask_api, "/version")).status_code == 200
    reader, writer = await thief.connect()
    assert await _answered(reader, writer)
    with thief.introduce("web-stolen", {"app": "web"}) as stream:
        await asyncio.to_thread(stream.clusters)
        done = await asyncio.to_thread(weft, "ca", "revoke", "web-stolen", "-n", "shop", "--reason", "stolen laptop")
        assert "workload web-stolen of account shop/web revoked" in done.out
        started = time.monotonic()
        assert await asyncio.to_thread(stream.refusal) == "PERMISSION_DENIED: this certificate was revoked"
        assert time.monotonic() - started < 5
    for refused in (
        await asyncio.to_thread(lambda: thief.call("POST", "/v1/renew", {"csr": thief.csr})),
        await asyncio.to_thread(thief.register, "web-stolen", "web"),
    ):
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "revoked")
    assert (await asyncio.to_thread(thief.ask_api, "/version")).status_code == 401
    assert "web-stolen" not in (await asyncio.to_thread(weft, "get", "workloadentries", "-n", "shop")).out

    async def is_cut() -> bool:
        return not await _answered(reader, writer)

    async def is_refused() -> bool:
        return not await thief.is_heard()

    await soon(is_refused, "sidecars refuse new connections")
    await soon(is_cut, "sidecars end the connection that was open")
    assert await other.is_heard(), "another workload of the account goes on"
    assert await server.answers(), "and so does everybody else"
    listed = (await asyncio.to_thread(weft, "ca", "revocations")).out
    assert "stolen laptop" in listed
    assert "revoked" in (await asyncio.to_thread(weft, "ca", "issued")).out
    assert "create revocations" in (await asyncio.to_thread(weft, "audit", "--what", "revocations")).out
    assert "post certificates /v1/renew" in (await asyncio.to_thread(weft, "audit", "--outcome", "denied")).out

    assert (await asyncio.to_thread(weft, "ca", "unrevoke", "web-stolen")).code == 0
    await soon(thief.is_heard, "what is taken back counts again")
    assert await asyncio.to_thread(thief.renew) == 200


async def test_an_account_is_revoked_with_all_that_it_has_and_could_get(
    control_plane: Running, weft: Weft, server: Agent
) -> None:
    thief = await peer(control_plane, weft, "batch", "batch-1")
    bystander = await peer(control_plane, weft, "web", "web-2")
    made = await asyncio.to_thread(weft, "token", "create", "-n", "shop", "--service-account", "batch")
    assert (await asyncio.to_thread(weft, "ca", "revoke", "--account", "shop/batch")).code == 0

    async def is_refused() -> bool:
        return not await thief.is_heard()

    await soon(is_refused, "sidecars refuse the account")
    again = Workload(control_plane)
    assert await asyncio.to_thread(lambda: again.join(token=made.out.strip())) == 403
    assert await bystander.is_heard()
    assert (await asyncio.to_thread(weft, "ca", "unrevoke", "shop/batch")).code == 0
    await soon(thief.is_heard, "what is taken back counts again")


async def test_what_is_not_there_cannot_be_revoked(weft: Weft) -> None:
    done = await asyncio.to_thread(weft, "ca", "revoke", "nobody", "-n", "shop")
    assert (done.code, "no workload nobody of shop has a certificate" in done.err) == (1, True)
    assert (await asyncio.to_thread(weft, "ca", "revoke")).code == 2
    assert (await asyncio.to_thread(weft, "ca", "revoke", "--account", "shop")).code == 2
    assert (await asyncio.to_thread(weft, "ca", "unrevoke", "nobody")).code == 4


CALLER = """
import os, sys, time
print("stream", os.environ["ECHO"], file=sys.stderr, flush=True)
time.sleep(600)
"""


@contextlib.asynccontextmanager
async def calling(plane: Running, weft: Weft, directory: Path, name: str) -> AsyncIterator[Agent]:
    """A workload of the account ``web`` behind a sidecar of its own, which may stream to the server."""
    made = await asyncio.to_thread(weft, "token", "create", "-n", "shop", "--service", "web")
    (directory / name).write_text(made.out)
    config = AgentConfig(
        service="web",
        name=name,
        command=(sys.executable, "-c", CALLER),
        state_dir=directory,
        upstreams=(parse_upstream("ECHO=reviews:9443"),),
        token_file=directory / name,
        join_url=plane.addresses.agents,
        ca_file=plane.state.bundle,
        drain_seconds=0.1,
        restart=Restart.NEVER,
    )
    async with running(config) as agent:
        await agent.says("stream ")
        yield agent


class Stream:
    """An open connection through both sidecars."""

    def __init__(self, agent: Agent) -> None:
        self._port = int(agent.said.partition("stream 127.0.0.1:")[2].split()[0])
        self._ends: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def opens(self) -> bool:
        self._ends = await asyncio.open_connection("127.0.0.1", self._port)
        return await self.goes_on()

    async def goes_on(self) -> bool:
        assert self._ends is not None
        reader, writer = self._ends
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            writer.write(b"?")
            async with asyncio.timeout(5):
                return await reader.readexactly(1) == b"?"
        writer.close()
        return False

    async def is_over(self) -> bool:
        return not await self.goes_on()


async def test_a_stream_of_bytes_through_two_sidecars_ends_with_its_workloads_revocation(
    control_plane: Running, weft: Weft, server: Agent, tmp_path: Path
) -> None:
    async with calling(control_plane, weft, tmp_path, "web-9") as thief:
        stolen = Stream(thief)
        await soon(stolen.opens, "the stream is open", 30)
        assert (await asyncio.to_thread(weft, "ca", "revoke", "web-9", "-n", "shop")).code == 0
        assert await stolen.goes_on(), "the sidecars were not told yet, or the test tells nothing"
        await soon(stolen.is_over, "the stream ends", 60)
        for _ in range(3):
            assert not await stolen.opens(), "and no other begins"
