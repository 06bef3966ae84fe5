"""``/metrics``: the control plane's own numbers, for whoever may ``get`` the path."""

from collections.abc import Callable

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from weft.api.authorizer import Authorizer
from weft.api.errors import ApiError
from weft.api.gate import subject_of
from weft.api.permissions import Ask

PATH = "/metrics"
_TYPE = "text/plain; version=0.0.4"


def metrics_routes(numbers: Callable[[], str], authorizer: Authorizer) -> list[BaseRoute]:
    """The route, for ``build_api``'s ``extra_routes``."""

    async def get(request: Request) -> Response:
        try:
            await authorizer.require(subject_of(request), Ask(verb="get", path=PATH))
        except ApiError as denied:
            return Response(msgspec.json.encode(denied.status()), denied.code, media_type="application/json")
        return PlainTextResponse(numbers(), media_type=_TYPE)

    return [Route(PATH, get, methods=["GET"])]
