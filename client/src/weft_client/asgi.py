"""For servers of ASGI applications."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Callable

from weft_client.headers import taken

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
