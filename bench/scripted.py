"""Scripted delta xDS clients, in a process of their own: ``python -m bench.scripted SETUP.json``.

Each client has a certificate and a connection of its own. They subscribe to what a sidecar with an HTTP proxy port
subscribes to, acknowledge everything, and note when the last of them has acknowledged a marker in the routes.
``bench.crowd`` starts the process and reads what it prints.
"""

import asyncio
import json
import re
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc

from weft._pb.envoy.config.core.v3.base_pb2 import Node
from weft._pb.envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse
from weft.compiler.resource import CLUSTER, ENDPOINTS, LISTENER, ROUTES
from weft.kit.tasks import tasks

MARKER = "x-bench-marker-"
_MARKED = re.compile(MARKER.encode() + rb"\d{6}")
_METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
ACCOUNT = "scripted"
_ROUTES_NAME = "http_proxy"
READY = "ready"


class Tally:
    """How many clients have acknowledged each marker; prints a line when all have."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._seen: defaultdict[bytes, set[str]] = defaultdict(set)
        self._ready: set[str] = set()

    def ready(self, client: str) -> None:
        """A client has its first routes."""
        if client not in self._ready:
            self._ready.add(client)
            if len(self._ready) == self._count:
                print(READY, flush=True)

    def acknowledged(self, client: str, body: bytes) -> None:
        """A client acknowledged routes of these bytes."""
        for marker in _MARKED.findall(body):
            seen = self._seen[marker]
            if client in seen:
                continue
            seen.add(client)
            if len(seen) == self._count:
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
        node = Node(id=one["id"], cluster=ACCOUNT)
        node.metadata["weft"] = one["weft"]
        await call.write(DeltaDiscoveryRequest(node=node, type_url=CLUSTER))
        await call.write(DeltaDiscoveryRequest(type_url=LISTENER))
        await call.write(DeltaDiscoveryRequest(type_url=ROUTES, resource_names_subscribe=[_ROUTES_NAME]))
        async for answer in _answers(call):
            await call.write(DeltaDiscoveryRequest(type_url=answer.type_url, response_nonce=answer.nonce))
            if answer.type_url == ROUTES:
                tally.acknowledged(one["id"], b"".join(item.resource.value for item in answer.resources))
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
