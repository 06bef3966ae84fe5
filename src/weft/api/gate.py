"""What every request passes before anything reads it: the host it names, the token it carries, the size of its body.

A page in a browser cannot use the API: an unknown ``Host`` is refused (DNS rebinding), there is no CORS, and there are
no cookies.
"""

from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weft.api.bodies import MAX_BODY, too_large
from weft.api.errors import ApiError, forbidden, unauthorized
from weft.api.negotiate import respond
from weft.api.subjects import Authenticate, Subject

OPEN_PATHS = frozenset(("/healthz", "/livez", "/readyz"))
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")
_SCHEME = "bearer "
_MAX_TOKEN = 4096


Impersonate = Callable[[Subject, str, tuple[str, ...]], Awaitable[Subject]]
"""The subject of a name and groups, as another one. Raises ``ApiError`` 403."""

Identified = Callable[[], Awaitable[Subject | None]]


class Gate:
    """An ASGI application in front of another one."""

    def __init__(
        self, app: ASGIApp, authenticate: Authenticate, impersonate: Impersonate, hosts: Collection[str]
    ) -> None:
        self._app = app
        self._authenticate = authenticate
        self._impersonate = impersonate
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer why not."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = _hardened(send)
        try:
            identified = await self._admitted(scope)
            subject = await identified() if identified else None
            if identified and subject is None:
                raise unauthorized()
        except ApiError as refusal:
            await _refuse(refusal, scope, receive, send)
            return
        state: MutableMapping[str, Any] = scope.setdefault("state", {})
        state["subject"] = subject
        state["again"] = identified
        await self._app(scope, _capped(receive), send)

    async def _admitted(self, scope: Scope) -> Identified | None:
        """How the caller is identified, now and, for what lasts, later; ``None`` where nobody must be."""
        headers = Headers(scope=scope)
        host = host_of(headers.get("host", ""))
        if host not in self._hosts:
            raise forbidden(f'the host "{host[:253]}" is not served here')
        if scope["path"] in OPEN_PATHS:
            return None
        credential = headers.get("authorization", "")
        if credential[: len(_SCHEME)].lower() != _SCHEME or len(credential) > _MAX_TOKEN:
            raise unauthorized()
        if headers.get("content-length", "0").isdigit() and int(headers.get("content-length", "0")) > MAX_BODY:
            raise too_large()
        token = credential[len(_SCHEME) :].strip()

        async def identified() -> Subject | None:
            subject = await self._authenticate(token)
            return await self._as_asked(subject, headers) if subject else None

        return identified

    async def _as_asked(self, subject: Subject, headers: Headers) -> Subject:
        """The subject, or the one that it may act as ("User impersonation" in Kubernetes). Raises ``ApiError`` 403."""
        asked = {name for name in headers if name.startswith("impersonate-")}
        if not asked:
            return subject
        name = headers.get("impersonate-user", "")
        if not name or asked - {"impersonate-user", "impersonate-group"}:
            raise forbidden("only Impersonate-User, with Impersonate-Group, is served")
        return await self._impersonate(subject, name, tuple(headers.getlist("impersonate-group")))


def host_of(header: str) -> str:
    """The name in a ``Host`` header, without its port and brackets."""
    text = header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0]


def _capped(receive: Receive) -> Receive:
    """A body of unknown length is cut off where a known one would have been refused."""
    size = 0

    async def capped() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MAX_BODY:
            raise too_large()
        return message

    return capped


def _hardened(send: Send) -> Send:
    async def hardened(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["X-Content-Type-Options"] = "nosniff"
            headers.setdefault("Cache-Control", "no-cache, private")
        await send(message)

    return hardened


async def _refuse(refusal: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
    response = respond(refusal.status(), refusal.code)
    if refusal.code == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    await response(scope, receive, send)


def subject_of(request: Request) -> Subject:
    """Who asks; every path but the health checks has one."""
    subject: Subject = request.state.subject
    return subject
