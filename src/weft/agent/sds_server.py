"""SDS on a Unix socket for the one Envoy beside us: HTTP/2 by the ``h2`` library, gRPC framing of our own.

The socket has mode 0600 in a directory of mode 0700: who can read it could read the key's file as well.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

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

from weft.agent.credentials import Credentials
from weft.agent.grpc_frames import framed, take_messages
from weft.agent.sds import SecretStream
from weft.kit.errors import PeerError
from weft.kit.latest import Latest
from weft.kit.tasks import tasks

_METHOD = b"/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets"
_UNIMPLEMENTED = "12"
_INVALID = "3"
_REREAD = 5.0
"""Seconds between looks at the files that secrets are made of."""
_SETTINGS = H2Configuration(client_side=False)

Current = Callable[[], Credentials | None]


class SdsServer:
    """Serves the newest credentials, and each newer one as it comes."""

    def __init__(self, latest: Latest[Credentials]) -> None:
        self._latest = latest
        self._connections: set[_Connection] = set()

    async def run(self, path: Path) -> None:
        """Listen on ``path`` and push, until cancelled."""
        with _private_socket(path):
            server = await asyncio.get_running_loop().create_unix_server(self._connection, path)
        async with server:
            try:
                async with tasks() as group:
                    group.start(self._reread(), "files of secrets")
                    async for credentials in self._latest:
                        self._push(credentials)
            finally:
                for connection in list(self._connections):
                    connection.close()

    async def _reread(self) -> None:
        """Offer what changed in files: a stream that was sent the same before is sent nothing."""
        while True:
            await asyncio.sleep(_REREAD)
            if self._latest.value is not None:
                self._push(self._latest.value)

    def _push(self, credentials: Credentials) -> None:
        for connection in list(self._connections):
            connection.push(credentials)

    def _connection(self) -> "_Connection":
        return _Connection(lambda: self._latest.value, self._connections)


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

    def __init__(self) -> None:
        self.secrets = SecretStream()
        self.received = bytearray()
        self.waiting = bytearray()


class _Connection(asyncio.Protocol):
    """HTTP/2 with one client. A mistake in one stream ends that stream, a mistake in HTTP/2 the connection."""

    def __init__(self, current: Current, all_connections: "set[_Connection]") -> None:
        self._current = current
        self._all = all_connections
        self._http = H2Connection(config=_SETTINGS)
        self._calls: dict[int, _Call] = {}
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

    def push(self, credentials: Credentials) -> None:
        """Offer new credentials to every stream."""
        for stream, call in list(self._calls.items()):
            self._send(stream, call, call.secrets.offer(credentials))
        self._flush()

    def _handle(self, event: Event) -> None:
        match event:
            case RequestReceived():
                self._begin(event)
            case DataReceived():
                self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                self._receive(event.stream_id, event.data)
            case StreamEnded() | StreamReset():
                self._finish(event)
            case WindowUpdated():
                for stream, call in list(self._calls.items()):
                    self._drain(stream, call)
            case ConnectionTerminated():
                self.close()

    def _begin(self, event: RequestReceived) -> None:
        stream = event.stream_id
        headers = dict(event.headers)
        answer = [(":status", "200"), ("content-type", "application/grpc")]
        if headers.get(b":path") != _METHOD:
            self._http.send_headers(stream, [*answer, ("grpc-status", _UNIMPLEMENTED)], end_stream=True)
            return
        self._calls[stream] = _Call()
        self._http.send_headers(stream, answer)

    def _receive(self, stream: int, data: bytes) -> None:
        call = self._calls.get(stream)
        if call is None:
            return
        call.received += data
        try:
            for message in take_messages(call.received):
                self._send(stream, call, call.secrets.receive(message, self._current()))
        except PeerError:
            del self._calls[stream]
            self._http.send_headers(stream, [("grpc-status", _INVALID)], end_stream=True)

    def _finish(self, event: StreamEnded | StreamReset) -> None:
        stream = event.stream_id
        if self._calls.pop(stream, None) is not None and isinstance(event, StreamEnded):
            self._http.send_headers(stream, [("grpc-status", "0")], end_stream=True)

    def _send(self, stream: int, call: _Call, message: bytes | None) -> None:
        if message is not None:
            call.waiting += framed(message)
            self._drain(stream, call)

    def _drain(self, stream: int, call: _Call) -> None:
        """Send as much as the client's window takes."""
        while call.waiting:
            size = min(
                len(call.waiting), self._http.local_flow_control_window(stream), self._http.max_outbound_frame_size
            )
            if size <= 0:
                return
            self._http.send_data(stream, bytes(call.waiting[:size]))
            del call.waiting[:size]

    def _flush(self) -> None:
        if self._transport is not None and (data := self._http.data_to_send()):
            self._transport.write(data)
