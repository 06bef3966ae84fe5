"""What weft's own questions have in common: how they are routed, authorised, read and answered."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from weft.api.authorizer import Authorizer
from weft.api.builtin_roles import WEFT_GROUP
from weft.api.errors import ApiError, bad_request
from weft.api.gate import subject_of
from weft.api.permissions import Ask
from weft.kit.errors import UserError

_MAX_BODY = 64 * 1024
_B = TypeVar("_B")

Handler = Callable[[Request], Awaitable[Any]]
Row = tuple[str, str, Handler]
"""Method, path under ``/weft/v1`` and what answers."""


def routes_of(rows: Iterable[Row]) -> list[BaseRoute]:
    """The questions as routes."""
    return [Route(f"/weft/v1{path}", _answering(handler), methods=[method]) for method, path, handler in rows]


def by_path(authorizer: Authorizer, handler: Handler) -> Handler:
    """A question that is allowed by the path."""

    async def guarded(request: Request) -> Any:
        await authorizer.require(subject_of(request), Ask(verb=request.method.lower(), path=request.url.path))
        return await handler(request)

    return guarded


def own(verb: str, resource: str, namespace: str = "", name: str = "") -> Ask:
    """A verb on something that weft alone has."""
    return Ask(verb=verb, group=WEFT_GROUP, resource=resource, namespace=namespace, name=name)


def namespace_of(proxy: str) -> str:
    """The namespace in a proxy's name."""
    return proxy.rpartition(".")[2]


def _answering(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            content = await handler(request)
        except ApiError as error:
            return _json(error.status(), error.code)
        except UserError as error:
            help_ = f" (help: {error.help})" if error.help else ""
            return _json(bad_request(f"{error.message}{help_}").status(), 400)
        return _json(content)

    return answer


def _json(content: Any, code: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status_code=code, media_type="application/json")


def missing(message: str) -> ApiError:
    """404: there is no such thing."""
    return ApiError(404, "NotFound", message)


async def body_of(request: Request, kind: type[_B], *, at_most: int = _MAX_BODY) -> _B:
    """The body as a value. Raises ``ApiError`` 400."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > at_most:
            raise bad_request("the request is too large")
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise bad_request(str(error)) from None
