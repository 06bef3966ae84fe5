"""For servers of WSGI applications."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Callable

from weft_client.caller import caller_in
from weft_client.deadlines import seconds_in
from weft_client.deadlines import take as take_deadline
from weft_client.headers import FORWARDED, take
from weft_client.served import Served, _current

_VARIABLES = tuple((f"HTTP_{name.upper().replace('-', '_')}", name) for name in FORWARDED)
_OK, _UNWELL = "200 OK", "503 Service Unavailable"


class TraceMiddleware:
    """Remembers the trace headers of each request.

    They stay until the thread's next request: an answer may still be made while the server asks for its parts.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        take_environ(environ)
        return self.app(environ, start_response)


class Middleware:
    """All that an application of a mesh needs: trace headers and the deadline are given along, ``environ["weft"]`` says
    who calls, and ``health`` is answered with 200 (``well``: a function that may say otherwise).

    What is given along stays until the thread's next request, as trace headers do.
    """

    def __init__(
        self, app: Callable[..., Iterable[bytes]], *, health: str = "", well: Callable[[], bool] | None = None
    ) -> None:
        self.app = app
        self._health = health
        self._well = well

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if self._health and environ.get("PATH_INFO") == self._health:
            well = self._well is None or self._well()
            start_response(_OK if well else _UNWELL, [("content-type", "text/plain"), ("cache-control", "no-store")])
            return [b"ok\n" if well else b"not well\n"]
        headers = {
            name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")
        }
        take_environ(environ)
        take_deadline(headers)
        environ["weft"] = served = Served(caller_in(headers), seconds_in(headers))
        _current.set(served)
        return self.app(environ, start_response)


def take_environ(environ: dict[str, Any]) -> None:
    """Remember the trace headers of a WSGI environment."""
    take([(name, environ[variable]) for variable, name in _VARIABLES if variable in environ])
