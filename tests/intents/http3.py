"""A client of HTTP/3 that makes one request."""

import asyncio
import ssl
from pathlib import Path

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent


class _Client(QuicConnectionProtocol):
    def __init__(self, *args: object, **more: object) -> None:
        super().__init__(*args, **more)  # type: ignore[arg-type]
        self._http = H3Connection(self._quic)
        self._headers: dict[str, str] = {}
        self._body = b""
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def get(self, host: str, path: str) -> tuple[int, dict[str, str], bytes]:
        stream = self._quic.get_next_available_stream_id()
        request = {":method": "GET", ":scheme": "https", ":authority": host, ":path": path}
        self._http.send_headers(stream, [(name.encode(), value.encode()) for name, value in request.items()], True)
        self.transmit()
        await self._done
        return int(self._headers[":status"]), self._headers, self._body

    def quic_event_received(self, event: QuicEvent) -> None:
        for one in self._http.handle_event(event):
            self._take(one)

    def _take(self, event: H3Event) -> None:
        if isinstance(event, HeadersReceived):
            self._headers |= {name.decode(): value.decode() for name, value in event.headers}
        if isinstance(event, DataReceived):
            self._body += event.data
        if isinstance(event, HeadersReceived | DataReceived) and event.stream_ended and not self._done.done():
            self._done.set_result(None)


def get_by_http3(
    port: int, host: str, path: str = "/", certificate: tuple[Path, Path] | None = None, seconds: float = 10
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer that came by QUIC. Raises ``ConnectionError`` where none comes."""

    async def run() -> tuple[int, dict[str, str], bytes]:
        said = QuicConfiguration(is_client=True, alpn_protocols=["h3"], server_name=host, verify_mode=ssl.CERT_NONE)
        if certificate is not None:
            said.load_cert_chain(*certificate)
        async with (
            asyncio.timeout(seconds),
            connect("127.0.0.1", port, configuration=said, create_protocol=_Client) as client,
        ):
            assert isinstance(client, _Client)
            return await client.get(host, path)

    return asyncio.run(run())
