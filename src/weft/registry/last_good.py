"""The route by which an agent fetches what its proxy uses, to start it with while the control plane is away."""

from collections.abc import Callable
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from weft.model.identity import Identity

Caller = Callable[[Any], Identity | None]


class Kept(Protocol):
    """What a proxy uses, and what tells it from another; the body is empty where the caller has it."""

    @property
    def digest(self) -> str: ...

    @property
    def body(self) -> bytes: ...


Find = Callable[[Identity, str, str], Kept | None]
"""From who asks, the proxy's name and the digest of what is known."""


def last_good_routes(find: Find, caller: Caller) -> tuple[BaseRoute, ...]:
    """``GET /v1/last-good/{node}?known=DIGEST``: 200 with the resources, 304 for what is known, 204 for none."""

    async def fetch(request: Request) -> Response:
        identity = caller(request.scope)
        if identity is None:
            error = {"code": "certificate_required", "message": "this needs a certificate of this mesh"}
            return JSONResponse({"error": error | {"help": "join first"}}, 401)
        kept = find(identity, request.path_params["node"], request.query_params.get("known", ""))
        if kept is None:
            return Response(status_code=204)
        if not kept.body:
            return Response(status_code=304)
        return Response(kept.body, media_type="application/x-protobuf", headers={"etag": f'"{kept.digest}"'})

    return (Route("/v1/last-good/{node}", fetch, methods=["GET"]),)
