"""The route by which agents tell of their sidecars. Who the caller is comes from its certificate."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from weft.model.identity import Identity
from weft.observe.breakers import BadReport, BreakerBoard

_LARGEST = 512 * 1024


def observe_routes(board: BreakerBoard, caller: Callable[[Any], Identity | None]) -> tuple[BaseRoute, ...]:
    """``PUT /v1/breakers/{name}``. ``caller`` reads the peer's identity from an ASGI scope."""

    async def put(request: Request) -> Response:
        identity = caller(request.scope)
        if identity is None:
            return _error(401, "certificate_required", "this needs a certificate of this mesh", "join first")
        try:
            board.tell(identity, request.path_params["name"], await _body(request))
        except BadReport as bad:
            return _error(400, "bad_report", str(bad), "tell it as this version of weft does")
        return Response(status_code=204)

    return (Route("/v1/breakers/{name}", put, methods=["PUT"]),)


async def _body(request: Request) -> bytes:
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > _LARGEST:
            raise BadReport(f"the body is larger than {_LARGEST} bytes")
    return bytes(content)


def _error(status: int, code: str, message: str, help: str) -> Response:  # noqa: A002
    return JSONResponse({"error": {"code": code, "message": message, "help": help}}, status)
