"""Answers that go on as long as somebody reads them: lines, and an end whatever it is that ends them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from weft.kit.tasks import tasks

_CHECK_EVERY = 2.0
_PATIENCE = 10.0
GONE = "gone"
"""The reason of an end when the reader is no longer there, or does not read."""
Tell = Callable[[dict[str, Any]], Awaitable[bool]]
"""Sends a line of JSON; false when nobody reads."""


def line_of(content: dict[str, Any]) -> bytes:
    """One line."""
    return msgspec.json.encode(content) + b"\n"


class LineStream(Response):
    """``lines`` tells lines until it returns why it ends; ``still`` says whether the reader may go on reading;
    ``closed`` is called at the end with its reason, and returns the last line."""

    media_type = "application/x-ndjson"

    def __init__(
        self,
        lines: Callable[[Tell], Awaitable[str]],
        still: Callable[[], Awaitable[bool]],
        closed: Callable[[str], dict[str, Any]],
    ) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._tell_lines = lines
        self._still = still
        self._closed = closed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send lines to the end."""
        reason = "lost"
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            reason = await self._until_ended(receive, send)
        finally:
            last = self._closed(reason)
        if reason != GONE:
            body = line_of(last | {"type": "end", "reason": reason})
            await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _until_ended(self, receive: Receive, send: Send) -> str:
        async def tell(content: dict[str, Any]) -> bool:
            return await _sent(send, line_of(content))

        async with tasks() as group:
            gone = group.start(_disconnect(receive), "stream: disconnect")
            sending = group.start(_named(self._tell_lines(tell)), "stream: lines")
            barred = group.start(self._barred(), "stream: permission")
            await asyncio.wait({gone, sending, barred}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                ended: str = sending.result()
                return ended
            return GONE if gone.done() else "no longer allowed"

    async def _barred(self) -> None:
        """Return when the reader may read no more."""
        while True:
            if not await self._still():
                return
            await asyncio.sleep(_CHECK_EVERY)


async def _named(lines: Awaitable[str]) -> str:
    return await lines


async def _sent(send: Send, line: bytes) -> bool:
    """Whether the reader took a line in time: who does not read is not there."""
    try:
        async with asyncio.timeout(_PATIENCE):
            await send({"type": "http.response.body", "body": line, "more_body": True})
    except TimeoutError:
        return False
    return True


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
