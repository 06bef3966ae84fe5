"""An application of gRPC that answers each message with itself, and one call that goes on until its caller leaves."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

EACH, ENDLESS = "/echo.Echo/Each", "/echo.Echo/Endless"
FIRST = 4
"""How many messages a call without an end gets at once, before it waits for the caller to leave."""


def _each(messages: Iterator[bytes], _: grpc.ServicerContext) -> Iterator[bytes]:
    yield from messages


def _endless(message: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
    left = threading.Event()
    context.add_callback(left.set)
    for _ in range(FIRST):
        yield message
    left.wait(30)


class Echo(grpc.GenericRpcHandler):
    """Both calls, of bytes."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        handlers: dict[str, Callable[[], Any]] = {
            EACH: lambda: grpc.stream_stream_rpc_method_handler(_each),
            ENDLESS: lambda: grpc.unary_stream_rpc_method_handler(_endless),
        }
        made = handlers.get(handler_call_details.method)
        return made() if made else None


def main() -> None:
    """The application as a program: on ``PORT``, until it is told to end."""
    server, ended = grpc.server(ThreadPoolExecutor(8)), threading.Event()
    server.add_generic_rpc_handlers((Echo(),))
    server.add_insecure_port(f"127.0.0.1:{os.environ['PORT']}")
    server.start()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    ended.wait()
    server.stop(0.2)


if __name__ == "__main__":
    main()
