"""Applications of a test, served by its own process: of ASGI, of WSGI, or a function of a request.

Each has a port of 127.0.0.1 and a thread of its own, and finds its own sidecar: ``weft.Client`` asks the context of the
request that is served, before the process's environment.
"""

import asyncio
import inspect
import json
import socket
import threading
import wsgiref.simple_server
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import Any

from weft.kit.errors import UserError

_PATIENCE = 10.0
_LISTEN = 128
Environ = Callable[[], Mapping[str, str]]
"""The environment that an application would have had as a process."""


class Request:
    """What a function is asked."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self.method: str = environ["REQUEST_METHOD"]
        self.path: str = environ.get("PATH_INFO", "") or "/"
        self.query: str = environ.get("QUERY_STRING", "")
        self.headers = {name[5:].replace("_", "-").lower(): v for name, v in environ.items() if name[:5] == "HTTP_"}
        length = int(environ.get("CONTENT_LENGTH") or 0)
        self.body: bytes = environ["wsgi.input"].read(length) if length else b""

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Served:
    """An application that is served on ``port`` until ``close``."""

    def __init__(self, app: Any, environ: Environ) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=_LISTEN)
        self.port: int = self._socket.getsockname()[1]
        kind = _kind(app)
        served = app if kind in ("asgi", "wsgi") else _of_function(app)
        server = _Asgi(served, environ) if kind == "asgi" else _Wsgi(served, environ)
        self._server = server
        self._thread = threading.Thread(target=server.run, args=(self._socket,), daemon=True, name=f"{kind} {app!r}")
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._server.stop()
        self._thread.join(_PATIENCE)
        self._socket.close()


def _kind(app: Any) -> str:
    """``asgi`` for a coroutine function of a scope or an object that is called as one, ``wsgi`` for two parameters."""
    if not callable(app):
        raise UserError(f"{app!r} cannot be run", help="give an ASGI or WSGI application, a function, or a command")
    call = app if inspect.isroutine(app) else app.__call__
    if inspect.iscoroutinefunction(call):
        return "asgi"
    try:
        least = [p for p in inspect.signature(call).parameters.values() if p.default is p.empty and p.kind in _PLAIN]
    except ValueError:
        return "wsgi"
    return {3: "asgi", 2: "wsgi"}.get(len(least), "function")


_PLAIN = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _of_function(function: Callable[..., Any]) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """A WSGI application of a function of a request, or of nothing."""
    asks = bool(inspect.signature(function).parameters)

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        status, headers, body = _answer(function(Request(environ)) if asks else function())
        start_response(f"{status} {_phrase(status)}", [*headers, ("content-length", str(len(body)))])
        return [body]

    return application


def _answer(said: Any) -> tuple[int, list[tuple[str, str]], bytes]:
    """A text, bytes, something for JSON, a status, or (status, body), (status, body, headers)."""
    match said:
        case (int() as status, body, dict() as headers):
            _, kind, content = _answer(body)
            own = [(str(name).lower(), str(value)) for name, value in headers.items()]
            return status, own if any(name == "content-type" for name, _ in own) else [*kind, *own], content
        case (int() as status, body):
            return (status, *_answer(body)[1:])
        case bool() | dict() | list():
            return 200, [("content-type", "application/json")], json.dumps(said).encode()
        case int():
            return said, [("content-type", "text/plain")], b""
        case bytes():
            return 200, [("content-type", "application/octet-stream")], said
        case _:
            return 200, [("content-type", "text/plain; charset=utf-8")], str(said).encode()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


class _Wsgi:
    """A thread for each connection."""

    def __init__(self, app: Callable[..., Any], environ: Environ) -> None:
        self._app = app
        self._environ = environ
        self._server: _ThreadingServer | None = None
        self._ready = threading.Event()

    def run(self, listening: socket.socket) -> None:
        server = self._server = _ThreadingServer(listening.getsockname(), _Quiet, bind_and_activate=False)
        server.socket.close()
        server.socket = listening
        server.server_name, server.server_port = "127.0.0.1", listening.getsockname()[1]
        server.setup_environ()
        server.set_app(self._serve)
        self._ready.set()
        server.serve_forever(0.05)

    def stop(self) -> None:
        if self._ready.wait(_PATIENCE) and self._server is not None:
            self._server.shutdown()

    def _serve(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with _placed(self._environ()):
            return list(self._app(environ, start_response))


class _ThreadingServer(ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True
    block_on_close = False


class _Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """The sidecar logs calls."""


class _Asgi:
    """Uvicorn, which weft has for itself."""

    def __init__(self, app: Callable[..., Any], environ: Environ) -> None:
        import uvicorn

        async def placed(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                return await app(scope, receive, send)  # type: ignore[no-any-return]
            with _placed(environ()):
                return await app(scope, receive, send)  # type: ignore[no-any-return]

        config = uvicorn.Config(
            placed, log_config=None, access_log=False, interface="asgi3", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)

    def run(self, listening: socket.socket) -> None:
        asyncio.run(self._server.serve([listening]))

    def stop(self) -> None:
        self._server.should_exit = True


@contextmanager
def _placed(environ: Mapping[str, str]) -> Iterator[None]:
    from weft.client_package import client_module

    with client_module("place").placed(environ):
        yield
