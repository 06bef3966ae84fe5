"""A control plane in the test's own loop, agents as real processes, and calls through real sidecars."""

import asyncio
import contextlib
import json
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from starlette.applications import Starlette

from weft.agent.config import AgentConfig, Restart, parse_port, write_config
from weft.agent.http import Answer, HttpClient, Unanswered
from weft.agent.keygen import new_key
from weft.ca.authority import Authority, open_authority
from weft.ca.late import LateRenewals
from weft.ca.ledger import Ledger
from weft.ca.listener import AgentListener
from weft.ca.peer import caller
from weft.ca.rotator import Rotator
from weft.ca.server import authority_routes
from weft.ca.tokens import JoinTokens
from weft.duties.credentials import SecretDelivery
from weft.duties.farewells import Farewells
from weft.duties.naming import Naming
from weft.duties.starter import Starter
from weft.kit.clock import SystemClock
from weft.kit.tasks import tasks
from weft.model.identity import Identity
from weft.model.settings import Settings
from weft.model.trust import bundles_of
from weft.pipeline import Pipeline
from weft.registry.documents import entry_key
from weft.registry.farewell import farewell_routes
from weft.registry.last_good import last_good_routes
from weft.registry.leases import LEASE_SECONDS
from weft.registry.names import NamesDesk
from weft.registry.registry import Registry
from weft.registry.rights import Claim, Rights
from weft.registry.server import registry_routes
from weft.registry.start import start_routes
from weft.store.memory import MemoryStore
from weft.xds.fleet import Fleet
from weft.xds.last_good import last_good
from weft.xds.server import TlsMaterial, XdsConfig, serve_xds

CLOCK = SystemClock()
ASK_SECONDS = 0.5
SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/die":
            print("my last words", file=sys.stderr, flush=True)
            os._exit(7)
        body = b"hello"
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
print("proxy", os.environ["http_proxy"], file=sys.stderr, flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


async def everybody(identity: Identity, claim: Claim) -> bool:
    """Roles are no matter of these tests: workloads of all kinds run as one account."""
    return True


class Mesh:
    """The parts of a control plane that agents meet; its store outlives a restart."""

    def __init__(self, directory: Path, xds_port: int, agent_port: int, lifetime: float) -> None:
        self.authority: Authority = open_authority(directory / "ca", trust_domain="cluster.local", clock=CLOCK)
        self.authority.lifetime = lifetime
        self.store = MemoryStore()
        self.fleet = Fleet()
        self.pipeline = Pipeline(self.store, Settings(), secrets=SecretDelivery(self.store).added)
        self.tokens = JoinTokens(self.store, CLOCK)
        self.directory = directory
        self.xds_port = xds_port
        self.agent_port = agent_port
        self.rotator = Rotator(self.authority, CLOCK, lambda: None)
        self.window = 3600.0
        self.lease = LEASE_SECONDS

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """A control plane that runs for as long as the block."""
        pipeline = self.pipeline = Pipeline(self.store, Settings(), secrets=SecretDelivery(self.store).added)
        registry = Registry(self.store, CLOCK, lease_seconds=self.lease)
        await registry.recover()
        listener = AgentListener(self.authority, (), CLOCK)
        self.rotator = Rotator(self.authority, CLOCK, listener.renew, ask_seconds=ASK_SECONDS)
        address = f"127.0.0.1:{self.xds_port}"
        ledger = Ledger(self.store, CLOCK, keep=self.window)
        await ledger.load()
        certificates = authority_routes(
            self.authority,
            self.tokens,
            CLOCK,
            xds_address=address,
            rotator=self.rotator,
            ledger=ledger,
            late=LateRenewals(ledger, CLOCK, self.window),
            trust=lambda own: bundles_of(pipeline.latest.value.settings, own),
        )
        farewells = Farewells(self.fleet, pipeline.reached, self.store.revision, CLOCK, settling=0)
        names = NamesDesk(Naming(pipeline.latest).tables, caller)
        routes = [
            *certificates,
            *registry_routes(registry, caller, Rights(self.store, everybody), CLOCK),
            *start_routes(Starter(pipeline.latest).answer, caller),
            *last_good_routes(partial(last_good, self.fleet), caller),
            *farewell_routes(farewells.told, caller),
            *names.routes(),
        ]
        server = listener.server(Starlette(routes=routes), "127.0.0.1", self.agent_port)
        async with tasks() as group:
            group.start(pipeline.run(), "pipeline")
            group.start(registry.run(), "registry")
            group.start(listener.keep_fresh(), "listener")
            group.start(self.rotator.run(), "rotator")
            await pipeline.latest.first()
            xds = await serve_xds(
                config=XdsConfig(host="127.0.0.1", port=self.xds_port),
                subscribe=pipeline.subscribe,
                fleet=self.fleet,
                tls=self._material,
                clock=CLOCK,
            )
            running = group.start(server._serve(), "agents")
            await until(lambda: server.started)
            try:
                yield
            finally:
                names.stop()
                server.should_exit = server.force_exit = True
                await running
                await xds.stop()

    def _material(self) -> TlsMaterial:
        listener = self.authority.listener(())
        return TlsMaterial(key=listener.key, chain=listener.chain, roots=self.authority.bundle.encode())

    async def entry(self, name: str) -> dict[str, Any] | None:
        """A workload's entry as it is stored."""
        document = await self.store.read(entry_key("shop", name))
        return json.loads(document.content) if document else None

    async def healthy(self, name: str) -> bool:
        """Whether a workload is registered and well."""
        entry = await self.entry(name)
        return entry is not None and entry["status"]["conditions"][0]["status"] == "True"

    async def config(self, name: str, **changes: Any) -> AgentConfig:
        """A workload of the service ``reviews`` with a token of its own."""
        token_file = self.directory / f"{name}.token"
        token_file.write_text(await self.tokens.create("shop", "reviews"))
        settings: dict[str, Any] = {
            "service": "reviews",
            "name": name,
            "command": (sys.executable, "-c", SERVER),
            "state_dir": self.directory,
            "ports": (parse_port("9080:auto"),),
            "token_file": token_file,
            "join_url": f"https://127.0.0.1:{self.agent_port}",
            "ca_file": self.directory / "ca" / "root.pem",
            "drain_seconds": 1.0,
            "restart": Restart.NEVER,
        }
        return AgentConfig(**(settings | changes))

    async def peer_context(self) -> ssl.SSLContext:
        """The TLS context of another workload of the mesh."""
        pair = await new_key()
        peer = Identity(trust_domain="cluster.local", namespace="shop", account="web")
        chain = self.authority.sign(pair.csr.encode(), peer).chain
        file = self.directory / "peer.pem"
        file.write_text(pair.key + chain)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.set_alpn_protocols(["istio"])
        context.load_verify_locations(cadata=self.authority.bundle)
        context.load_cert_chain(file)
        return context


class Agent:
    """A running ``python -m weft.agent``; what it says is collected."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said = ""

    async def listen(self) -> None:
        """Collect its stderr until it ends."""
        assert self.process.stderr is not None
        while piece := await self.process.stderr.read(65536):
            self.said += piece.decode()

    async def says(self, text: str) -> None:
        """Wait until it has said something."""
        try:
            await until(lambda: text in self.said)
        except TimeoutError:
            raise AssertionError(f"the agent never said {text!r}, but:\n{self.said}") from None

    def child(self, name: str) -> psutil.Process:
        """Its child of a name."""
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if child.name().startswith(name))

    async def proxy(self) -> int:
        """The port of its HTTP proxy, once the application has said it; another thread of the agent copies that."""
        await self.says("proxy http://127.0.0.1:")
        return int(self.said.partition("proxy http://127.0.0.1:")[2].split()[0])

    async def call(self, url: str = "http://reviews:9080/") -> Answer:
        """A request as the application would make it, through its HTTP proxy."""
        port = await self.proxy()
        client = HttpClient(lambda: asyncio.open_connection("127.0.0.1", port), "reviews:9080", 5.0)
        return await client.request("GET", url)

    async def answers(self) -> bool:
        """Whether a request through the mesh succeeds."""
        try:
            return (await self.call()).status == 200
        except Unanswered:
            return False

    async def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 20)


@contextlib.asynccontextmanager
async def running(config: AgentConfig) -> AsyncIterator[Agent]:
    """An agent that is ended with the block."""
    file = config.state_dir / f"{config.name}.config.json"
    file.write_bytes(write_config(config))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "weft.agent", str(file)), stderr=asyncio.subprocess.PIPE
    )
    agent = Agent(process)
    async with tasks() as group:
        listening = group.start(agent.listen(), "stderr")
        try:
            yield agent
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            await asyncio.wait({listening}, timeout=10)


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def until_true(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    """Wait for an awaitable condition."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
