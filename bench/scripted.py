"""Scripted delta xDS clients in a process of their own, and the bench's handle on them.

Each client has a certificate and a connection of its own. They subscribe to what a sidecar with an HTTP proxy port
subscribes to, acknowledge everything, and note when the last of them has acknowledged a marker in the routes.
"""

import asyncio
import json
import queue
import re
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import grpc
from cryptography.hazmat.primitives.asymmetric import ec

from bench.certificates import pem_of, request_of
from weft._pb.envoy.config.core.v3.base_pb2 import Node
from weft._pb.envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse
from weft.compiler.resource import CLUSTER, ENDPOINTS, LISTENER, ROUTES
from weft.demo.processes import Failed
from weft.kit.tasks import tasks

if TYPE_CHECKING:
    from bench.mesh import BenchMesh

MARKER = "x-bench-marker-"
_MARKED = re.compile(MARKER.encode() + rb"\d{6}")
_METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
_ACCOUNT = "scripted"
_ROUTES_NAME = "http_proxy"
_READY = "ready"
_START_SECONDS = 60.0
_PATIENCE = 20.0


class Scripted:
    """The bench's side: joins for every client, starts the process, and asks when markers were acknowledged."""

    def __init__(self, mesh: "BenchMesh", count: int) -> None:
        self._mesh = mesh
        self._count = count
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def __enter__(self) -> "Scripted":
        setup = self._mesh.directory / "scripted.json"
        setup.touch(mode=0o600)
        setup.write_text(json.dumps(_setup(self._mesh, self._count)))
        log = self._mesh.directory / "scripted.log"
        with log.open("ab") as errors:
            command = [sys.executable, "-m", "bench.scripted", str(setup)]
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert self._process.stdout is not None
        threading.Thread(target=self._read, args=[self._process.stdout], daemon=True).start()
        if self._next(_START_SECONDS) != _READY:
            raise Failed(f"the scripted clients did not start: {log.read_text()[-2000:]}")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def acknowledged(self, marker: str) -> float:
        """When (monotonic seconds, the same clock in all processes) the last client acknowledged it."""
        while True:
            seen, _, moment = self._next(_PATIENCE).partition(" ")
            if seen == marker:
                return float(moment)

    def _read(self, output: IO[str]) -> None:
        for line in output:
            self._lines.put(line.strip())
        self._lines.put("ended")

    def _next(self, seconds: float) -> str:
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise Failed(f"the scripted clients said nothing for {seconds:g} s") from None
        if line == "ended":
            raise Failed("the scripted clients ended early")
        return line


def _setup(mesh: "BenchMesh", count: int) -> dict[str, Any]:
    bundle = mesh.state.bundle.read_text()
    context = ssl.create_default_context(cadata=bundle)
    with mesh.client() as api:
        clients = [_joined(mesh, api, context, number) for number in range(count)]
    return {"address": f"127.0.0.1:{mesh.ports['xds']}", "bundle": bundle, "clients": clients}


def _joined(mesh: "BenchMesh", api: Any, context: ssl.SSLContext, number: int) -> dict[str, Any]:
    """One client's certificate, got as an agent gets it: a token from the API, then a join with it."""
    from bench.mesh import NAMESPACE

    wanted = {"namespace": NAMESPACE, "service_account": _ACCOUNT, "ttl": 300}
    token = api.post("/weft/v1/tokens", wanted)["token"]
    key = ec.generate_private_key(ec.SECP256R1())
    asked = json.dumps({"token": token, "csr": request_of(key)}).encode()
    request = urllib.request.Request(
        f"https://127.0.0.1:{mesh.ports['agent']}/v1/join", asked, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310
        chain = json.load(answer)["chain"]
    name = f"scripted-{number}"
    introduction = {"namespace": NAMESPACE, "workload": name, "http_proxy": ["127.0.0.1", 15001]}
    return {"id": f"{name}.{NAMESPACE}", "weft": json.dumps(introduction), "chain": chain, "key": pem_of(key).decode()}


class Tally:
    """How many clients have acknowledged each marker; prints a line when all have."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._seen: Counter[bytes] = Counter()
        self._ready: set[str] = set()

    def ready(self, client: str) -> None:
        """A client has its first routes."""
        if client not in self._ready:
            self._ready.add(client)
            if len(self._ready) == self._count:
                print(_READY, flush=True)

    def acknowledged(self, body: bytes) -> None:
        """A client acknowledged routes of these bytes."""
        for marker in set(_MARKED.findall(body)):
            self._seen[marker] += 1
            if self._seen[marker] == self._count:
                print(marker.decode(), time.monotonic(), flush=True)


async def _client(setup: dict[str, Any], one: dict[str, Any], tally: Tally) -> None:
    credentials = grpc.ssl_channel_credentials(
        setup["bundle"].encode(), one["key"].encode(), _text(one["chain"]).encode()
    )
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", 1 << 26)]
    async with grpc.aio.secure_channel(setup["address"], credentials, options=options) as channel:
        call = channel.stream_stream(
            _METHOD,
            request_serializer=DeltaDiscoveryRequest.SerializeToString,
            response_deserializer=DeltaDiscoveryResponse.FromString,
        )()
        node = Node(id=one["id"], cluster=_ACCOUNT)
        node.metadata["weft"] = one["weft"]
        await call.write(DeltaDiscoveryRequest(node=node, type_url=CLUSTER))
        await call.write(DeltaDiscoveryRequest(type_url=LISTENER))
        await call.write(DeltaDiscoveryRequest(type_url=ROUTES, resource_names_subscribe=[_ROUTES_NAME]))
        async for answer in _answers(call):
            await call.write(DeltaDiscoveryRequest(type_url=answer.type_url, response_nonce=answer.nonce))
            if answer.type_url == ROUTES:
                tally.acknowledged(b"".join(item.resource.value for item in answer.resources))
                tally.ready(one["id"])
            elif answer.type_url == CLUSTER and answer.resources:
                names = [item.name for item in answer.resources]
                await call.write(DeltaDiscoveryRequest(type_url=ENDPOINTS, resource_names_subscribe=names))


async def _answers(call: Any) -> AsyncIterator[DeltaDiscoveryResponse]:
    while (answer := await call.read()) is not grpc.aio.EOF:
        yield answer


def _text(chain: str | list[str]) -> str:
    return chain if isinstance(chain, str) else "".join(chain)


async def _run(setup: dict[str, Any]) -> None:
    tally = Tally(len(setup["clients"]))
    async with tasks() as group:
        for one in setup["clients"]:
            group.start(_client(setup, one, tally), one["id"])
            await asyncio.sleep(0.005)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_run(json.loads(Path(sys.argv[1]).read_text())))
