"""Prometheus' HTTP API under ``/prometheus``: the base URL for Grafana, Kiali, Flagger and their like.

Who may ``get`` the path may ask for everything in it, for series know no namespaces' borders.
"""

from typing import Protocol
from urllib.parse import parse_qs

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from weft.api.authorizer import Authorizer
from weft.api.errors import ApiError
from weft.api.gate import subject_of
from weft.api.permissions import Ask
from weft.observe.prometheus import Form, Reply

PREFIX = "/prometheus"
_LARGEST = 256 * 1024


class Answers(Protocol):
    """Who answers: the control plane itself or a Prometheus."""

    async def answer(self, question: str, form: Form) -> Reply:
        """The reply to what follows ``/api/v1/``."""
        ...


def prometheus_routes(answers: Answers, authorizer: Authorizer) -> list[BaseRoute]:
    """The routes, for ``build_api``'s ``extra_routes``."""

    async def ask(request: Request) -> Response:
        # A query that is too long for a URL comes by POST and reads all the same.
        try:
            await authorizer.require(subject_of(request), Ask(verb="get", path=request.url.path))
            form = await _form(request)
        except ApiError as error:
            return _refused(error)
        reply = await answers.answer(request.path_params["question"], form)
        return Response(reply.content, reply.status, media_type="application/json")

    async def healthy(request: Request) -> Response:
        return PlainTextResponse("weft answers for Prometheus.\n")

    return [
        Route(f"{PREFIX}/api/v1/{{question:path}}", ask, methods=["GET", "POST"]),
        *(Route(f"{PREFIX}/-/{name}", healthy, methods=["GET"]) for name in ("healthy", "ready")),
    ]


async def _form(request: Request) -> Form:
    content = bytearray(request.url.query.encode())
    if request.method == "POST":
        content += b"&"
        async for piece in request.stream():
            content += piece
            if len(content) > _LARGEST:
                raise ApiError(413, "RequestEntityTooLarge", f"a query has {_LARGEST} bytes at most")
    try:
        return parse_qs(content.decode(), keep_blank_values=True, max_num_fields=1000)
    except ValueError as wrong:
        raise ApiError(400, "BadRequest", f"the form cannot be read: {wrong}") from None


def _refused(error: ApiError) -> Response:
    """A refusal in Prometheus' shape, for its clients show ``error``."""
    kind = "forbidden" if error.code == 403 else "bad_data"
    body = error.status() | {"status": "error", "errorType": kind, "error": error.message}
    return Response(msgspec.json.encode(body), error.code, media_type="application/json")
