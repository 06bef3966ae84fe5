"""The route by which agents learn the names of the mesh: asked with what they know, answered when it has changed."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from weft.kit.errors import PeerError
from weft.kit.value import Value
from weft.model.identity import Identity

LARGEST = 131_072
LONGEST_WAIT = 55.0
Caller = Callable[[Any], Identity | None]


class Wanted(Value):
    """What an agent says: its node, the table that it has, and how many seconds it waits for another."""

    node_id: str
    metadata: str
    known: str = ""
    wait: float = 0.0


class Table(Value):
    """Names as JSON, and what tells them from others."""

    digest: str
    body: bytes


Tables = Callable[[Identity, Wanted], AsyncGenerator[Table, None]]
"""One workload's table, and each newer one; raises ``PeerError`` for a node that is not the caller's."""


class NamesDesk:
    """Answers agents; ``stop`` answers those that wait, so that nobody holds up the end."""

    def __init__(self, tables: Tables, caller: Caller) -> None:
        self._tables = tables
        self._caller = caller
        self._waiting: set[asyncio.Timeout] = set()
        self._stopped = False

    def routes(self) -> tuple[BaseRoute, ...]:
        """``POST /v1/names``: the table with its digest as ``ETag``, or 304 when it is still the one that is known."""
        return (Route("/v1/names", self._names, methods=["POST"]),)

    def stop(self) -> None:
        """Let nobody wait any longer."""
        self._stopped = True
        for timeout in self._waiting:
            timeout.reschedule(0)

    async def _names(self, request: Request) -> Response:
        identity = self._caller(request.scope)
        if identity is None:
            return _error(401, "certificate_required", "this needs a certificate of this mesh", "join first")
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > LARGEST:
                return _error(413, "too_large", f"the body is larger than {LARGEST} bytes", "send less")
        try:
            wanted = msgspec.json.decode(body, type=Wanted)
            table = await self._next(self._tables(identity, wanted), wanted)
        except (msgspec.MsgspecError, UnicodeError, RecursionError, PeerError) as wrong:
            return _error(400, "bad_names", str(wrong)[:300], "send node_id, metadata, known and wait")
        if table is None:
            return Response(status_code=304)
        return Response(table.body, media_type="application/json", headers={"etag": f'"{table.digest}"'})

    async def _next(self, tables: AsyncGenerator[Table, None], wanted: Wanted) -> Table | None:
        """The first table that is not known; ``None`` if none comes in time."""
        seconds = 0.0 if self._stopped else min(max(wanted.wait, 0.0), LONGEST_WAIT)
        async with aclosing(tables) as each:
            table = await anext(each)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds) as timeout, self._noted(timeout):
                    while table.digest == wanted.known:
                        table = await anext(each)
            return None if table.digest == wanted.known else table

    @asynccontextmanager
    async def _noted(self, timeout: asyncio.Timeout) -> AsyncIterator[None]:
        self._waiting.add(timeout)
        try:
            yield
        finally:
            self._waiting.discard(timeout)


def _error(status: int, code: str, message: str, help: str) -> Response:  # noqa: A002
    return JSONResponse({"error": {"code": code, "message": message, "help": help}}, status)
