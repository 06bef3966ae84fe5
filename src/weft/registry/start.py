"""The route by which an agent asks, before it starts its proxy, what it is to be started with."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from weft.kit.errors import PeerError
from weft.kit.value import Value
from weft.model.identity import Identity

LARGEST = 1_048_576
Caller = Callable[[Any], Identity | None]


class Asked(Value):
    """What the agent says: its node, and the bootstrap that it would start with."""

    node_id: str
    metadata: str
    bootstrap: str


class Told(Protocol):
    """What it is told; ``bootstrap`` is ``None`` where nothing is changed."""

    @property
    def concurrency(self) -> int | None: ...

    @property
    def bootstrap(self) -> bytes | None: ...

    @property
    def left_out(self) -> tuple[str, ...]: ...


Answer = Callable[[Identity, Asked], Awaitable[Told]]


def start_routes(answer: Answer, caller: Caller) -> tuple[BaseRoute, ...]:
    """``POST /v1/start``; ``answer`` raises ``PeerError`` for a node that is not the caller's."""

    async def start(request: Request) -> Response:
        identity = caller(request.scope)
        if identity is None:
            return _error(401, "certificate_required", "this needs a certificate of this mesh", "join first")
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > LARGEST:
                return _error(413, "too_large", f"the body is larger than {LARGEST} bytes", "send less")
        try:
            told = await answer(identity, msgspec.json.decode(body, type=Asked))
        except (msgspec.MsgspecError, UnicodeError, RecursionError, PeerError) as wrong:
            return _error(400, "bad_start", str(wrong)[:300], "send node_id, metadata and bootstrap")
        changed = None if told.bootstrap is None else told.bootstrap.decode()
        said = {"concurrency": told.concurrency, "bootstrap": changed, "left_out": list(told.left_out)}
        return JSONResponse(said)

    return (Route("/v1/start", start, methods=["POST"]),)


def _error(status: int, code: str, message: str, help: str) -> Response:  # noqa: A002
    return JSONResponse({"error": {"code": code, "message": message, "help": help}}, status)
