"""What every request passes before anything reads it: the host it names, its credential, the size of its body.

A page in a browser cannot use the API: an unknown ``Host`` is refused (DNS rebinding) and so is a foreign ``Origin``,
there is no CORS, and there are no cookies.
"""

from collections.abc import Awaitable, Callable, Collection, MutableMapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weft.api.auditing import Audit
from weft.api.bodies import MAX_BODY, too_large
from weft.api.builtin_roles import MASTERS
from weft.api.errors import ApiError, forbidden, too_fast, too_many, unauthorized
from weft.api.negotiate import respond
from weft.api.subjects import Authenticate, AuthenticateShown, Shown, Subject
from weft.kit.clock import Clock
from weft.kit.rates import Rates

OPEN_PATHS = frozenset(("/healthz", "/livez", "/readyz"))
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")
_SCHEME = "bearer "
_MAX_TOKEN = 16_384
_FAILURES_PER_SECOND = 1.0
_FAILURES_BURST = 30
"""Of one address, with no credential or a wrong one: as many as a person's mistakes, too few to guess."""
_REQUESTS_PER_SECOND = 100.0
_REQUESTS_BURST = 500
"""Of one subject, whatever its credentials: more than kubectl sends at most, so that no tenant is alone served.
Administrators are not counted: they must be heard while somebody floods the API."""


Impersonate = Callable[[Subject, str, tuple[str, ...]], Awaitable[Subject]]
"""The subject of a name and groups, as another one. Raises ``ApiError`` 403."""

Identified = Callable[[], Awaitable[Subject | None]]


class Gate:
    """An ASGI application in front of another one."""

    def __init__(
        self,
        app: ASGIApp,
        authenticate: Authenticate,
        by_certificate: AuthenticateShown,
        impersonate: Impersonate,
        hosts: Collection[str],
        audit: Audit,
        clock: Clock,
    ) -> None:
        self._app = app
        self._authenticate = authenticate
        self._by_certificate = by_certificate
        self._impersonate = impersonate
        self._hosts = frozenset(host.lower() for host in hosts)
        self._audit = audit
        self._failures = Rates(clock, per_second=_FAILURES_PER_SECOND, burst=_FAILURES_BURST)
        self._requests = Rates(clock, per_second=_REQUESTS_PER_SECOND, burst=_REQUESTS_BURST)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer why not."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = _hardened(send, lambda code: self._audit.told(scope, code))
        try:
            identified = await self._admitted(scope)
            subject = await identified() if identified else None
            if identified and subject is None:
                raise self._stranger(scope)
            if subject and not self._may_ask_now(subject):
                scope.setdefault("state", {})["subject"] = subject
                raise too_fast()
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
        if (origin := headers.get("origin")) is not None and not self._own(origin):
            raise forbidden("pages of other sites are not served")
        if scope["path"] in OPEN_PATHS:
            return None
        prove = self._credential(scope, headers)
        if prove is None:
            raise self._stranger(scope)
        if headers.get("content-length", "0").isdigit() and int(headers.get("content-length", "0")) > MAX_BODY:
            raise too_large()

        async def identified() -> Subject | None:
            subject = await prove()
            return await self._as_asked(subject, headers) if subject else None

        return identified

    def _credential(self, scope: Scope, headers: Headers) -> Identified | None:
        """What asks whose the credential is; a token that is sent counts, whatever certificate is shown beside it."""
        credential = headers.get("authorization")
        if credential is None:
            shown = certificate_of(scope)
            return partial(self._by_certificate, shown) if shown else None
        if credential[: len(_SCHEME)].lower() != _SCHEME or len(credential) > _MAX_TOKEN:
            return None
        return partial(self._authenticate, credential[len(_SCHEME) :].strip())

    def _own(self, origin: str) -> bool:
        return urlsplit(origin).hostname in self._hosts

    def _stranger(self, scope: Scope) -> ApiError:
        """What is answered without a credential that holds; an address that goes on guessing must wait."""
        client = scope.get("client")
        return unauthorized() if self._failures.allows(client[0] if client else "") else too_many()

    def _may_ask_now(self, subject: Subject) -> bool:
        """Whether a subject has not asked too often; who acts as another one is counted themselves."""
        return MASTERS in subject.groups or self._requests.allows(subject.via or subject.name)

    async def _as_asked(self, subject: Subject, headers: Headers) -> Subject:
        """The subject, or the one that it may act as ("User impersonation" in Kubernetes). Raises ``ApiError`` 403."""
        asked = {name for name in headers if name.startswith("impersonate-")}
        if not asked:
            return subject
        name = headers.get("impersonate-user", "")
        if not name or asked - {"impersonate-user", "impersonate-group"}:
            raise forbidden("only Impersonate-User, with Impersonate-Group, is served")
        return await self._impersonate(subject, name, tuple(headers.getlist("impersonate-group")))


def certificate_of(scope: Scope) -> Shown | None:
    """What the client of a request's connection has shown (``weft.api.listener``)."""
    shown = scope.get("extensions", {}).get("tls", {}).get("certificate")
    return shown if isinstance(shown, Shown) else None


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


def _hardened(send: Send, answered: Callable[[int], None]) -> Send:
    async def hardened(message: Message) -> None:
        if message["type"] == "http.response.start":
            answered(message["status"])
            headers = MutableHeaders(scope=message)
            headers["X-Content-Type-Options"] = "nosniff"
            headers.setdefault("Cache-Control", "no-cache, private")
        await send(message)

    return hardened


async def _refuse(refusal: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
    response = respond(refusal.status(), refusal.code)
    if refusal.code == 429:
        response.headers["Retry-After"] = "1"
    if refusal.code == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    await response(scope, receive, send)


def subject_of(request: Request) -> Subject:
    """Who asks; every path but the health checks has one."""
    subject: Subject = request.state.subject
    return subject
