"""An ASGI application behind TLS, served by uvicorn inside a loop that is not uvicorn's.

Signals stay the owner's; the socket is opened by us, so that a port that is taken is one clear error.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import uvicorn

from weft.kit.careful_http import CarefulProtocol
from weft.kit.errors import UserError

_BACKLOG = 512
_GRACE_SECONDS = 2
_LOST_AFTER = 20_000
"""Milliseconds after which a client that acknowledges nothing is gone: what streams to it ends then."""
_UNANSWERED: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)


def https_config(app: Any, context: ssl.SSLContext, http: Any = CarefulProtocol) -> uvicorn.Config:
    """uvicorn's settings for an API: nothing is logged for each request, nothing tells the server's name.

    ``http`` is uvicorn's protocol class.
    """
    config = uvicorn.Config(
        app,
        http=http,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",  # a warning for each request that is none would let strangers fill the log
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=30,
    )
    config.load()
    config.ssl = context
    return config


class HttpsServer(uvicorn.Server):
    """A server that leaves signals alone and is stopped by ``stop``."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        config.timeout_graceful_shutdown = _GRACE_SECONDS
        super().__init__(config)
        self._listener = listener
        self._accepting = asyncio.Event()

    async def run_until_stopped(self) -> None:
        """Serve until ``stop``; then finish what was begun, for two seconds at most."""
        await self.serve(sockets=[self._listener])

    async def wait_started(self) -> None:
        """Return once connections are accepted."""
        await self._accepting.wait()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so to those who wait."""
        await super().startup(sockets)
        self._accepting.set()

    def stop(self) -> None:
        """Ask the server to end."""
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def listen(host: str, port: int, *, option: str) -> socket.socket:
    """A bound TCP socket; port 0 takes a free one. Raises ``UserError`` that names the option when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only where the protocol is named; without it a body waits 40 ms for an acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if _UNANSWERED is not None:
            listener.setsockopt(socket.IPPROTO_TCP, _UNANSWERED, _LOST_AFTER)
        listener.bind((host, port))
    except OSError as refused:
        listener.close()
        reason = (refused.strerror or str(refused)).lower()
        raise UserError(
            f"cannot listen on {host}:{port} ({reason})",
            help=f"another program has the port, or this machine has no such address; choose another with {option}",
        ) from refused
    listener.setblocking(False)
    return listener
