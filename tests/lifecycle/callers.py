"""Lean clients, so that a program that calls costs little beside what it calls: HTTP/1.1, HTTP/2, gRPC and TCP.

They do what a client has to do, and no more: connections are kept, one that says that it closes is not used again, and
nothing is tried twice.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import grpc.aio
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, Event, ResponseReceived, StreamEnded, StreamReset

from weft.agent.http import Answer, HttpClient

MESSAGES, PAUSE = 3, 0.1
"""Of a gRPC stream and of a TCP connection: how many questions, one after the other, and the time between them."""


class Lost(Exception):
    """A call that was not answered as it should."""


class _Once(HttpClient):
    """Tries nothing twice: a connection that was kept and is dead has lost its request."""

    async def request(self, method: str, path: str, body: bytes = b"") -> Answer:
        async with self._turn:
            return await self._attempt(method, path, body)


class Http1:
    """Connections to an HTTP proxy, each used by one request at a time."""

    def __init__(self, proxy: str, patience: float) -> None:
        self._host, _, port = proxy.removeprefix("http://").rstrip("/").rpartition(":")
        self._port = int(port)
        self._patience = patience
        self._idle: list[_Once] = []

    async def call(self, page: str) -> None:
        """Ask for ``host:port/path``."""
        client = self._idle.pop() if self._idle else self._client()
        answer = await client.request("GET", f"http://{page}")
        self._idle.append(client)
        if answer.status != 200:
            raise Lost(f"{page}: {answer.status} {answer.body[:100]!r}")

    def _client(self) -> _Once:
        return _Once(lambda: asyncio.open_connection(self._host, self._port), "shop", self._patience, keep=True)


class _Connection(asyncio.Protocol):
    """One HTTP/2 connection."""

    def __init__(self) -> None:
        self.closing = False
        self._http = H2Connection(config=H2Configuration(client_side=True))
        self._answers: dict[int, asyncio.Future[str]] = {}
        self._statuses: dict[int, str] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._http.initiate_connection()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closing = True
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(Lost("the connection broke"))

    def data_received(self, data: bytes) -> None:
        for event in self._http.receive_data(data):
            self._handle(event)
        self._flush()

    def ask(self, authority: str, path: str) -> asyncio.Future[str]:
        number = self._http.get_next_available_stream_id()
        head = [(":method", "GET"), (":scheme", "http"), (":authority", authority), (":path", path)]
        self._http.send_headers(number, head, end_stream=True)
        self._answers[number] = asyncio.get_running_loop().create_future()
        self._flush()
        return self._answers[number]

    def _handle(self, event: Event) -> None:
        match event:
            case ResponseReceived():
                assert event.stream_id is not None
                self._statuses[event.stream_id] = dict(event.headers or ())[b":status"].decode()
            case DataReceived():
                self._http.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
            case StreamEnded():
                self._done(event.stream_id).set_result(self._statuses.pop(event.stream_id))
            case StreamReset():
                self._done(event.stream_id).set_exception(Lost("the stream was reset"))
            case ConnectionTerminated():
                self.closing = True

    def _done(self, number: int) -> "asyncio.Future[str]":
        return self._answers.pop(number)

    def _flush(self) -> None:
        if data := self._http.data_to_send():
            self._transport.write(data)


class Http2:
    """One HTTP/2 connection without TLS, and the next when it says that it closes."""

    def __init__(self, address: str) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._connection: _Connection | None = None
        self._turn = asyncio.Lock()

    async def call(self, path: str) -> None:
        """Ask for a path."""
        async with self._turn:
            if self._connection is None or self._connection.closing:
                loop = asyncio.get_running_loop()
                _, self._connection = await loop.create_connection(_Connection, self._host, self._port)
        status = await self._connection.ask(f"{self._host}:{self._port}", path)
        if status != "200":
            raise Lost(f"{path}: {status}")


class Grpc:
    """Calls of ``echo.py`` over one channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._once = channel.unary_unary("/test.Echo/Once")
        self._each = channel.stream_stream("/test.Echo/Each")

    async def once(self) -> None:
        """One message."""
        if await self._once(b"one") != b"one":
            raise Lost("another message came back")

    async def stream(self) -> None:
        """A stream that lives a while."""
        call = self._each()
        for number in range(MESSAGES):
            await call.write(b"%d" % number)
            if await call.read() != b"%d" % number:
                raise Lost("another message came back")
            await asyncio.sleep(PAUSE)
        await call.done_writing()
        if await call.read() is not grpc.aio.EOF or await call.code() is not grpc.StatusCode.OK:
            raise Lost("the stream ended badly")


@asynccontextmanager
async def grpc_calls(address: str) -> AsyncIterator[Grpc]:
    """A channel for the block."""
    async with grpc.aio.insecure_channel(address) as channel:
        yield Grpc(channel)


async def tcp(address: str) -> None:
    """Questions to ``ledger.py`` over one TCP connection."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        for _ in range(MESSAGES):
            writer.write(b"PING\n")
            line = await reader.readline()
            if not line.startswith(b"PONG"):
                raise Lost(f"answered {line!r}")
            await asyncio.sleep(PAUSE)
    finally:
        writer.close()
