"""Answers load balancers that ask whether a gateway shall get connections: 200, or 503 while it starts and drains."""

import asyncio
import contextlib

from weft.kit.errors import UserError

_LONGEST_HEAD = 8_192
_TIMEOUT = 5.0


class Readiness:
    """What the gateway says of itself; ``ready`` is set by its supervisor."""

    def __init__(self) -> None:
        self.ready = False

    async def serve(self, address: str, port: int) -> None:
        """Answer any request on a port until cancelled. Raises ``UserError`` when the port cannot be had."""
        try:
            server = await asyncio.start_server(self._answer, address, port, limit=_LONGEST_HEAD)
        except OSError as taken:
            raise UserError(
                f"the gateway cannot answer health checks on {address}:{port} ({taken.strerror})",
                help="choose another --health-port, or 0 for none",
            ) from taken
        async with server:
            await server.serve_forever()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_TIMEOUT):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(self._response())
                await writer.drain()
        writer.close()

    def _response(self) -> bytes:
        status, body = ("200 OK", b"ready\n") if self.ready else ("503 Service Unavailable", b"not ready\n")
        head = (
            f"HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        return head.encode() + body
