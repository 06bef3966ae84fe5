"""One document over HTTP: from an address that was looked at, small, soon, and never from somewhere else."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import h11

from weft.jwks.errors import Unfetched
from weft.jwks.places import Network, Place, placed

_MOST_BYTES = 512 * 1024
_CHUNK = 16_384


async def fetched(uri: str, allowed: tuple[Network, ...], seconds: float, trust: str = "") -> bytes:
    """The body of a 200. Redirects are not followed. Raises ``Unfetched``.

    ``trust`` is whom a server's certificate may be of, as PEM; "" for those whom the system trusts.
    """
    try:
        async with asyncio.timeout(seconds):
            place = await placed(uri, allowed)
            async with connected_to(place, trust) as (reader, writer):
                return await _asked(place, reader, writer)
    except TimeoutError as late:
        raise Unfetched(f"there was no answer within {seconds:g} s") from late
    except ssl.SSLError as wrong:
        raise Unfetched(f"the server's certificate is not trusted: {wrong.reason or wrong}") from wrong
    except (OSError, EOFError) as broken:
        raise Unfetched("the connection failed") from broken


@asynccontextmanager
async def connected_to(
    place: Place, trust: str = ""
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to the address that was looked at; ``trust`` as for ``fetched``. Raises ``OSError``."""
    secure = place.scheme == "https"
    reader, writer = await asyncio.open_connection(
        place.address,
        place.port,
        ssl=ssl.create_default_context(cadata=trust or None) if secure else None,
        server_hostname=place.host if secure else None,
    )
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _asked(place: Place, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    connection = h11.Connection(h11.CLIENT)
    headers = [("host", place.authority), ("accept", "application/json"), ("connection", "close")]
    request = h11.Request(method="GET", target=place.target, headers=headers)
    writer.write((connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b""))
    await writer.drain()
    try:
        return await _read(connection, reader)
    except h11.RemoteProtocolError as wrong:
        raise Unfetched("the answer is not HTTP") from wrong


async def _read(connection: h11.Connection, reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_CHUNK))
        elif isinstance(event, h11.Response):
            if event.status_code != 200:
                raise Unfetched(f"the answer is {event.status_code}, not 200; redirects are not followed")
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > _MOST_BYTES:
                raise Unfetched(f"the answer has more than {_MOST_BYTES} bytes")
        elif isinstance(event, h11.EndOfMessage):
            return bytes(body)
        elif isinstance(event, h11.ConnectionClosed):
            raise Unfetched("the connection ended before the answer")
