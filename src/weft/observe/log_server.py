"""The route by which agents send logs that somebody wants to read."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from weft.model.identity import Identity
from weft.observe.logs import LARGEST, LogDesk, Piece


def log_piece_routes(desk: LogDesk, caller: Callable[[Any], Identity | None]) -> tuple[BaseRoute, ...]:
    """``PUT /v1/logs/{name}/{id}``. ``caller`` reads the peer's identity from an ASGI scope."""

    async def put(request: Request) -> Response:
        identity = caller(request.scope)
        if identity is None:
            return _error(401, "certificate_required", "this needs a certificate of this mesh", "join first")
        content = await _body(request)
        if content is None:
            return _error(413, "too_large", f"a piece has {LARGEST} bytes at most", "send less at a time")
        said, place = request.query_params, request.path_params
        skipped = said.get("skipped", "0")
        piece = Piece(content=content, skipped=int(skipped) if skipped.isascii() and skipped.isdigit() else 0)
        told = desk.take(identity, place["name"], place["id"], piece, end=said.get("end") == "1")
        if told is None:
            return _error(410, "gone", "nobody reads this any more", "stop")
        return JSONResponse(told)

    return (Route("/v1/logs/{name}/{id}", put, methods=["PUT"]),)


async def _body(request: Request) -> bytes | None:
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > LARGEST:
            return None
    return bytes(content)


def _error(status: int, code: str, message: str, help: str) -> Response:  # noqa: A002
    return JSONResponse({"error": {"code": code, "message": message, "help": help}}, status)
