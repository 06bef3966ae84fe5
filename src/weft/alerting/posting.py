"""One POST to an address that was looked at: small, soon, and never sent on to somewhere else.

Whoever writes a target makes the control plane send a request, so where it may go is decided as for keys of token
issuers (``weft.jwks.places``): public addresses over https, and networks that the operator allows.
"""

import asyncio
import ssl
from urllib.parse import urlsplit

import h11

from weft.alerting.formats import Message
from weft.jwks.errors import Unfetched
from weft.jwks.fetching import connected_to
from weft.jwks.places import Network, Place, placed
from weft.kit.errors import WeftError

_CHUNK = 16_384
_MOST_BYTES = 64 * 1024
_LATER = (408, 425, 429)


class Undelivered(WeftError):
    """It did not arrive, and may when it is tried again."""


class Refused(WeftError):
    """It will never be taken as it is."""


async def posted(url: str, message: Message, allowed: tuple[Network, ...], seconds: float, trust: str = "") -> None:
    """Send a message; ``trust`` as for ``connected_to``. Raises ``Undelivered`` and ``Refused``, whose texts name no
    address."""
    try:
        async with asyncio.timeout(seconds):
            place = await _placed(_under(url, message.path), allowed)
            async with connected_to(place, trust) as (reader, writer):
                await _asked(place, message, reader, writer)
    except TimeoutError:
        raise Undelivered(f"there was no answer within {seconds:g} s") from None
    except ssl.SSLError as wrong:
        raise Undelivered(f"the server's certificate is not trusted: {wrong.reason or 'unknown'}") from None
    except (OSError, EOFError):
        raise Undelivered("the connection failed") from None


def _under(url: str, path: str) -> str:
    """A URL with a path after its own."""
    if not path:
        return url
    parts = urlsplit(url)
    return parts._replace(path=parts.path.rstrip("/") + path).geturl()


async def _placed(url: str, allowed: tuple[Network, ...]) -> Place:
    try:
        return await placed(url, allowed)
    except Unfetched as closed:
        raise Undelivered(str(closed)) from None


async def _asked(place: Place, message: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    connection = h11.Connection(h11.CLIENT)
    headers = [
        ("host", place.authority),
        ("content-type", "application/json"),
        ("content-length", str(len(message.body))),
        ("user-agent", "weft"),
        ("connection", "close"),
        *message.headers,
    ]
    request = h11.Request(method="POST", target=place.target, headers=headers)
    for event in (request, h11.Data(data=message.body), h11.EndOfMessage()):
        writer.write(connection.send(event) or b"")
    await writer.drain()
    try:
        code = await _code(connection, reader)
    except h11.RemoteProtocolError:
        raise Undelivered("the answer is not HTTP") from None
    if code in _LATER or code >= 500:
        raise Undelivered(f"the answer is {code}")
    if not 200 <= code < 300:
        raise Refused(f"the answer is {code}; redirects are not followed")


async def _code(connection: h11.Connection, reader: asyncio.StreamReader) -> int:
    """The status of the answer; its body does not matter."""
    seen = 0
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            piece = await reader.read(_CHUNK)
            seen += len(piece)
            if seen > _MOST_BYTES:
                raise Undelivered("the answer is too large")
            connection.receive_data(piece)
        elif isinstance(event, h11.Response):
            return event.status_code
        elif isinstance(event, h11.ConnectionClosed):
            raise Undelivered("the connection ended before the answer")
