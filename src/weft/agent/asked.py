"""The smallest server of HTTP: reads the head of one request, gives one answer, closes.

For whoever asks an agent from outside (load balancers, Prometheus): nothing is parsed that is not needed, no body is
read, and a head that is slow or long costs a few seconds and kilobytes.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from weft.kit.errors import UserError

_LONGEST_HEAD = 8_192

Answering = Callable[[str], Awaitable[tuple[str, bytes]]]
"""From the head of a request to the status (``200 OK``) and the body."""


async def serve_answers(
    answer: Answering, address: str, port: int, *, seconds: float, kind: str, taken: UserError
) -> None:
    """Answer until cancelled, each within ``seconds``, with bodies of one content type.

    Raises ``taken``, with the system's reason after it, when the port cannot be had.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(seconds):
                status, body = await answer((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
                head = f"content-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
                writer.write(f"HTTP/1.1 {status}\r\n{head}".encode() + body)
                await writer.drain()
        writer.close()

    try:
        server = await asyncio.start_server(serve, address, port, limit=_LONGEST_HEAD)
    except OSError as failure:
        raise UserError(f"{taken.message} ({failure.strerror})", help=taken.help) from failure
    async with server:
        await server.serve_forever()
