"""A server on a real socket and scripted clients with certificates of their own."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import grpc

from tests.xds.certificates import Root
from tests.xds.script import Got, parse_delta, parse_sotw
from weft._pb.envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DiscoveryRequest
from weft.compiler.resource import Resources
from weft.kit.latest import Latest
from weft.xds.fleet import Fleet
from weft.xds.introduction import Introduction
from weft.xds.server import XdsConfig, XdsServer, serve_xds

WEB = "spiffe://cluster.local/ns/shop/sa/web"
NODE = "web-1.shop"
ADS = "/envoy.service.discovery.v3.AggregatedDiscoveryService/"
QUIET = 0.3
"""Seconds without a message that count as silence."""


class Rig:
    """What a test moves: the offers, the server, its certificates."""

    def __init__(self, root: Root) -> None:
        self.root = root
        self.latest: Latest[Resources] = Latest()
        self.fleet = Fleet()
        self.seen: list[Introduction] = []
        self.refusal: Exception | None = None
        self.material = root.server()
        self.server: XdsServer

    async def subscribe(self, introduction: Introduction) -> AsyncGenerator[Resources, None]:
        self.seen.append(introduction)
        if self.refusal:
            raise self.refusal
        async for resources in self.latest:
            yield resources

    @asynccontextmanager
    async def client(
        self, *uris: str, root: Root | None = None, options: Iterable[tuple[str, Any]] = ()
    ) -> AsyncIterator[grpc.aio.Channel]:
        """A channel with a workload's certificate; ``WEB``'s unless told."""
        key, chain = (root or self.root).workload(*(uris or (WEB,)))
        credentials = grpc.ssl_channel_credentials(self.root.pem, key, chain)
        defaults = (
            ("grpc.ssl_target_name_override", "localhost"),
            ("grpc.max_receive_message_length", -1),
            ("grpc.use_local_subchannel_pool", 1),
        )
        address = f"127.0.0.1:{self.server.port}"
        async with grpc.aio.secure_channel(address, credentials, options=(*defaults, *options)) as channel:
            yield channel


@asynccontextmanager
async def rig(offer: Resources | None = None, **config: Any) -> AsyncIterator[Rig]:
    made = Rig(Root())
    if offer is not None:
        made.latest.set(offer)
    made.server = await serve_xds(
        config=XdsConfig(**config), subscribe=made.subscribe, fleet=made.fleet, tls=lambda: made.material
    )
    try:
        yield made
    finally:
        await made.server.stop()


class Stream:
    """One stream; requests are given as fields."""

    def __init__(self, channel: grpc.aio.Channel, method: str, node: str = NODE) -> None:
        self._delta = "Delta" in method
        self._node = node
        self.call = channel.stream_stream(method if method.startswith("/") else ADS + method)()

    async def send(self, **fields: Any) -> None:
        request = (DeltaDiscoveryRequest if self._delta else DiscoveryRequest)(**fields)
        if self._node:
            request.node.id, self._node = self._node, ""
        await self.call.write(request.SerializeToString())

    async def next(self, seconds: float = 5) -> Got:
        async with asyncio.timeout(seconds):
            body = await self.call.read()
        assert body is not grpc.aio.EOF, await self.call.code()
        return parse_delta(body) if self._delta else parse_sotw(body)

    async def ack(self, got: Got, names: Iterable[str] = ()) -> None:
        if self._delta:
            await self.send(type_url=got.type_url, response_nonce=got.nonce)
        else:
            await self.send(
                type_url=got.type_url, version_info=got.version, response_nonce=got.nonce, resource_names=names
            )

    async def silent(self, seconds: float = QUIET) -> bool:
        """Whether nothing comes; the stream cannot be used any more when something does."""
        reading = asyncio.ensure_future(self.call.read())
        done, _ = await asyncio.wait([reading], timeout=seconds)
        return not done

    async def drain(self) -> None:
        """Read to the end of the stream, which raises its status."""
        while await self.call.read() is not grpc.aio.EOF:
            pass

    async def end(self, seconds: float = 5) -> grpc.StatusCode:
        """The status with which the server ends the stream."""
        async with asyncio.timeout(seconds):
            return await self.call.code()


def sotw(channel: grpc.aio.Channel, node: str = NODE) -> Stream:
    return Stream(channel, "StreamAggregatedResources", node)


def delta(channel: grpc.aio.Channel, node: str = NODE) -> Stream:
    return Stream(channel, "DeltaAggregatedResources", node)


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.01)
