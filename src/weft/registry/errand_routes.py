"""The routes by which agents fetch errands and answer them. Who they are comes from their certificates."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from weft.model.identity import Identity
from weft.registry.errands import LARGEST, Errands

_LONGEST_REASON = 2000
_Answer = Callable[[Request, Identity], Awaitable[Response]]


def errand_routes(errands: Errands, caller: Callable[[Any], Identity | None]) -> tuple[BaseRoute, ...]:
    """``GET /v1/workloads/{name}/errands`` waits a while for one, ``PUT /v1/errands/{id}`` takes what came of it.

    With the query ``failed`` it takes the reason why nothing did. ``caller`` reads the peer's identity from a scope.
    """

    async def fetch(request: Request, identity: Identity) -> Response:
        found = await errands.next(identity, request.path_params["name"])
        if found is None:
            return Response(status_code=204)
        return JSONResponse({"id": found.id, "kind": found.kind, "arguments": dict(found.arguments)})

    async def answer(request: Request, identity: Identity) -> Response:
        errand, failed = request.path_params["id"], "failed" in request.query_params
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > LARGEST:
                return _error(413, "too_large", f"the answer is larger than {LARGEST} bytes")
        if failed:
            errands.failed(errand, identity, body.decode(errors="replace")[:_LONGEST_REASON])
        else:
            errands.done(errand, identity, bytes(body))
        return Response(status_code=204)

    return (
        Route("/v1/workloads/{name}/errands", _guarded(fetch, caller), methods=["GET"]),
        Route("/v1/errands/{id}", _guarded(answer, caller), methods=["PUT"]),
    )


def _guarded(answer: _Answer, caller: Callable[[Any], Identity | None]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        identity = caller(request.scope)
        if identity is None:
            return _error(401, "certificate_required", "this needs a certificate of this mesh")
        return await answer(request, identity)

    return endpoint


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status)
