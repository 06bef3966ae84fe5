"""An application of these tests: gRPC that gives back what it is sent, one message or a stream of them."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import grpc
import grpc.aio

DRAIN_SECONDS = 5


async def once(request: bytes, context: object) -> bytes:
    """The message itself."""
    return request


async def each(requests: AsyncIterator[bytes], context: object) -> AsyncIterator[bytes]:
    """Every message as it comes."""
    async for message in requests:
        yield message


async def check(request: bytes, context: object) -> bytes:
    """``grpc.health.v1.Health/Check``: SERVING."""
    return b"\x08\x01"


async def main() -> None:
    """Serve until SIGTERM; calls under way are finished."""
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    unary, stream = grpc.unary_unary_rpc_method_handler(once), grpc.stream_stream_rpc_method_handler(each)
    handlers = (
        grpc.method_handlers_generic_handler("test.Echo", {"Once": unary, "Each": stream}),
        grpc.method_handlers_generic_handler(
            "grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(check)}
        ),
    )
    server.add_generic_rpc_handlers(handlers)
    server.add_insecure_port(f"127.0.0.1:{os.environ['PORT']}")
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await server.start()
    await ended.wait()
    await server.stop(DRAIN_SECONDS)


if __name__ == "__main__":
    asyncio.run(main())
