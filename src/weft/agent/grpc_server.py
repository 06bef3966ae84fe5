"""gRPC on a Unix socket for those beside us: HTTP/2 by the ``h2`` library, gRPC framing of our own.

Who may connect is the socket's mode: it lies in a directory of mode 0700.
"""

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError

from weft.agent.grpc_frames import framed, take_messages
from weft.kit.errors import PeerError

OK, INVALID, DENIED, UNIMPLEMENTED, UNAVAILABLE = 0, 3, 7, 12, 14
_SETTINGS = H2Configuration(client_side=False)


class Refusal(PeerError):
    """Ends a call with a status of gRPC's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Stream(Protocol):
    """One call, as its handler sees it."""

    headers: Mapping[bytes, bytes]

    def send(self, message: bytes) -> None:
        """Send a message, as soon as the client's window takes it."""
        ...

    def finish(self, status: int = OK, message: str = "") -> None:
        """End the call after what is being sent."""
        ...


class Handler(Protocol):
    """Answers one call."""

    def receive(self, message: bytes) -> None:
        """Take a message. Raises ``PeerError`` (INVALID_ARGUMENT) and ``Refusal``."""
        ...

    def ended(self) -> None:
        """The client has sent everything."""
        ...

    def closed(self) -> None:
        """The call is over."""
        ...


Handlers = Mapping[bytes, Callable[[Stream], Handler]]


class GrpcServer:
    """Answers the methods of ``handlers`` on a socket."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers
        self._connections: set[_Connection] = set()

    async def run(self, path: Path) -> None:
        """Listen on ``path`` until cancelled."""
        with _private_socket(path):
            server = await asyncio.get_running_loop().create_unix_server(self._connection, path)
        async with server:
            try:
                await server.serve_forever()
            finally:
                for connection in list(self._connections):
                    connection.close()

    def _connection(self) -> "_Connection":
        return _Connection(self._handlers, self._connections)


@contextmanager
def _private_socket(path: Path) -> Iterator[None]:
    """Create the socket in the block with mode 0600."""
    path.unlink(missing_ok=True)
    mask = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(mask)


class _Call:
    """One stream of a connection."""

    def __init__(self, connection: "_Connection", number: int, headers: Mapping[bytes, bytes]) -> None:
        self.headers = headers
        self.received = bytearray()
        self.waiting = bytearray()
        self.status: tuple[int, str] | None = None
        self._connection = connection
        self._number = number

    def send(self, message: bytes) -> None:
        """Send a message."""
        if self.status is None:
            self.waiting += framed(message)
            self._connection.drain(self._number, self)

    def finish(self, status: int = OK, message: str = "") -> None:
        """End the call."""
        if self.status is None:
            self.status = (status, message)
            self._connection.drain(self._number, self)


class _Connection(asyncio.Protocol):
    """HTTP/2 with one client. A mistake in one stream ends that stream, a mistake in HTTP/2 the connection."""

    def __init__(self, handlers: Handlers, all_connections: "set[_Connection]") -> None:
        self._handlers = handlers
        self._all = all_connections
        self._http = H2Connection(config=_SETTINGS)
        self._calls: dict[int, tuple[_Call, Handler]] = {}
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._all.add(self)
        self._http.initiate_connection()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client."""
        self._all.discard(self)
        self._transport = None
        for number in list(self._calls):
            self._forget(number)

    def data_received(self, data: bytes) -> None:
        """Take what came and answer."""
        try:
            for event in self._http.receive_data(data):
                self._handle(event)
        except ProtocolError:
            self._flush()
            self.close()
            return
        self._flush()

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def drain(self, number: int, call: _Call) -> None:
        """Send as much as the client's window takes, and the end when all is sent."""
        if number not in self._calls:
            return
        while call.waiting:
            size = min(
                len(call.waiting), self._http.local_flow_control_window(number), self._http.max_outbound_frame_size
            )
            if size <= 0:
                break
            self._http.send_data(number, bytes(call.waiting[:size]))
            del call.waiting[:size]
        if not call.waiting and call.status is not None:
            status, message = call.status
            trailers = [("grpc-status", str(status))]
            if message:
                trailers.append(("grpc-message", quote(message, safe=" ,.:;()'/")))
            self._http.send_headers(number, trailers, end_stream=True)
            self._forget(number)
        self._flush()

    def _handle(self, event: Event) -> None:
        match event:
            case RequestReceived():
                self._begin(event)
            case DataReceived():
                self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                self._receive(event.stream_id, event.data)
            case StreamEnded() if event.stream_id in self._calls:
                self._calls[event.stream_id][1].ended()
            case StreamReset():
                self._forget(event.stream_id)
            case WindowUpdated():
                for number, (call, _) in list(self._calls.items()):
                    self.drain(number, call)
            case ConnectionTerminated():
                self.close()

    def _begin(self, event: RequestReceived) -> None:
        number, headers = event.stream_id, dict(event.headers)
        answer = [(":status", "200"), ("content-type", "application/grpc")]
        path = headers.get(b":path", b"")
        made = self._handlers.get(path)
        if made is None:
            said = quote(f"there is no method {path.decode('ascii', 'replace')[:200]}", safe=" /.")
            refusal = [("grpc-status", str(UNIMPLEMENTED)), ("grpc-message", said)]
            self._http.send_headers(number, [*answer, *refusal], end_stream=True)
            return
        self._http.send_headers(number, answer)
        call = _Call(self, number, headers)
        self._calls[number] = (call, made(call))

    def _receive(self, number: int, data: bytes) -> None:
        if number not in self._calls:
            return
        call, handler = self._calls[number]
        call.received += data
        try:
            for message in take_messages(call.received):
                handler.receive(message)
        except Refusal as refused:
            call.finish(refused.status, str(refused))
        except PeerError as wrong:
            call.finish(INVALID, str(wrong))

    def _forget(self, number: int) -> None:
        if (known := self._calls.pop(number, None)) is not None:
            known[1].closed()

    def _flush(self) -> None:
        if self._transport is not None and (data := self._http.data_to_send()):
            self._transport.write(data)
