"""For servers of ASGI applications."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Callable

from weft_client.caller import caller_in
from weft_client.deadlines import left_by, seconds_in
from weft_client.headers import taken
from weft_client.served import Served, _current

App = Callable[..., Awaitable[None]]


class TraceMiddleware:
    """Remembers the trace headers of each request and WebSocket while the application serves it."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope.get("type") not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        with taken(scope.get("headers") or ()):
            await self.app(scope, receive, send)


class Middleware:
    """All that an application of a mesh needs: trace headers and the deadline are given along, ``scope["weft"]`` says
    who calls, and ``health`` is answered with 200 (``well``: a function that may say otherwise)."""

    def __init__(self, app: App, *, health: str = "", well: Callable[[], bool] | None = None) -> None:
        self.app = app
        self._health = health
        self._well = well

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope.get("type") not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        if self._health and scope["type"] == "http" and scope["path"] == self._health:
            await self._say_health(send)
            return
        headers = plain(scope.get("headers") or ())
        served = Served(caller_in(headers), seconds_in(headers))
        token = _current.set(served)
        try:
            with taken(scope.get("headers") or ()), left_by(headers):
                await self.app({**scope, "weft": served}, receive, send)
        finally:
            _current.reset(token)

    async def _say_health(self, send: Any) -> None:
        well = self._well is None or self._well()
        headers = [(b"content-type", b"text/plain"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200 if well else 503, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok\n" if well else b"not well\n"})


def plain(headers: Any) -> dict[str, str]:
    """Headers as a mapping; of a header in several lines the values are joined, as RFC 9110, section 5.3, allows."""
    found: dict[str, str] = {}
    for name, value in headers:
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        found[key] = f"{found[key]},{text}" if key in found else text
    return found
