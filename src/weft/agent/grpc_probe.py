"""gRPC's health protocol (``grpc.health.v1.Health/Check``), by hand: one string asked, one enum answered."""

import asyncio

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

from weft.agent.dialing import dial
from weft.agent.grpc_frames import framed, take_messages
from weft.kit.errors import PeerError

_METHOD = "/grpc.health.v1.Health/Check"
_LONGEST_SERVICE = 127
_STREAM = 1
# HealthCheckResponse{status: SERVING}: field 1, varint, value 1.
_SERVING = b"\x08\x01"


async def serves(host: str, port: int, service: str, mark: int = 0) -> bool:
    """Whether the server says that the service (all of it for ``""``) is SERVING. Raises ``OSError``, ``PeerError``."""
    reader, writer = await dial(host, port, mark)
    try:
        http = H2Connection(config=H2Configuration(client_side=True))
        _ask(http, f"{host}:{port}", service)
        writer.write(http.data_to_send())
        return _SERVING in take_messages(await _answer(http, reader, writer))
    finally:
        writer.close()


def _ask(http: H2Connection, authority: str, service: str) -> None:
    name = service.encode("utf-8")[:_LONGEST_SERVICE]
    request = b"\x0a" + bytes([len(name)]) + name if name else b""
    headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", _METHOD),
        (":authority", authority),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ]
    http.initiate_connection()
    http.send_headers(_STREAM, headers)
    http.send_data(_STREAM, framed(request), end_stream=True)


async def _answer(http: H2Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytearray:
    """The bytes of the answer's body."""
    body = bytearray()
    while data := await reader.read(65536):
        try:
            events = http.receive_data(data)
        except ProtocolError as broken:
            raise PeerError("the application does not speak HTTP/2") from broken
        for event in events:
            if isinstance(event, DataReceived):
                body += event.data
            elif isinstance(event, StreamEnded | StreamReset | ConnectionTerminated):
                return body
        writer.write(http.data_to_send())
    return body
