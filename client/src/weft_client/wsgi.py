"""For servers of WSGI applications."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Callable

from weft_client.headers import FORWARDED, take

_VARIABLES = tuple((f"HTTP_{name.upper().replace('-', '_')}", name) for name in FORWARDED)


class TraceMiddleware:
    """Remembers the trace headers of each request.

    They stay until the thread's next request: an answer may still be made while the server asks for its parts.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        take_environ(environ)
        return self.app(environ, start_response)


def take_environ(environ: dict[str, Any]) -> None:
    """Remember the trace headers of a WSGI environment."""
    take([(name, environ[variable]) for variable, name in _VARIABLES if variable in environ])
