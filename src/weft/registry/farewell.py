"""The route by which a workload that goes learns whether its callers know."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from weft.model.identity import Identity

LONGEST_WAIT = 5.0
Caller = Callable[[Any], Identity | None]
Told = Callable[[float], Awaitable[bool]]
"""Waits at most so many seconds until all callers know what was said before."""


def farewell_routes(told: Told, caller: Caller) -> tuple[BaseRoute, ...]:
    """``GET /v1/told``: whether every caller knows what its asker said before; answers when it is so, or soon."""

    async def ask(request: Request) -> Response:
        if caller(request.scope) is None:
            error = {"code": "certificate_required", "message": "this needs a certificate of this mesh"}
            return JSONResponse({"error": error | {"help": "join first"}}, 401)
        return JSONResponse({"told": await told(LONGEST_WAIT)})

    return (Route("/v1/told", ask, methods=["GET"]),)
