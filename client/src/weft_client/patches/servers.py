"""Servers: where each of them has read a request's headers and not yet called the application."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from weft_client.asgi import TraceMiddleware
from weft_client.headers import take, taken
from weft_client.wsgi import take_environ


def patch(module: ModuleType) -> None:
    """Patch one server. Raises ``AttributeError`` for one that is not as it was known."""
    _PATCHES[module.__name__](module)


def _uvicorn(module: Any) -> None:
    load = module.Config.load

    def loading(self: Any) -> None:
        load(self)
        self.loaded_app = TraceMiddleware(self.loaded_app)

    module.Config.load = loading


def _hypercorn(module: Any) -> None:
    call = module.ASGIWrapper.__call__

    async def calling(self: Any, scope: Any, *arguments: Any) -> None:
        with taken(scope.get("headers") or ()):
            await call(self, scope, *arguments)

    module.ASGIWrapper.__call__ = calling
    run = module.WSGIWrapper.run_app

    def running(self: Any, environ: Any, *arguments: Any) -> None:
        take_environ(environ)
        run(self, environ, *arguments)

    module.WSGIWrapper.run_app = running


def _gunicorn(module: Any) -> None:
    create = module.create

    def creating(*arguments: Any, **options: Any) -> Any:
        response, environ = create(*arguments, **options)
        take_environ(environ)
        return response, environ

    module.create = creating


def _environ(owner: Any, name: str) -> None:
    """Patch a method that returns an environment."""
    make = getattr(owner, name)

    def making(self: Any, *arguments: Any) -> Any:
        environ = make(self, *arguments)
        take_environ(environ)
        return environ

    setattr(owner, name, making)


def _wsgiref(module: Any) -> None:
    setup = module.BaseHandler.setup_environ

    def setting_up(self: Any) -> None:
        setup(self)
        take_environ(self.environ)

    module.BaseHandler.setup_environ = setting_up


def _http_server(module: Any) -> None:
    parse = module.BaseHTTPRequestHandler.parse_request

    def parsing(self: Any) -> Any:
        good = parse(self)
        if good:
            take(self.headers.items())
        return good

    module.BaseHTTPRequestHandler.parse_request = parsing


def _aiohttp(module: Any) -> None:
    handle = module.Application._handle

    async def handling(self: Any, request: Any) -> Any:
        with taken(request.headers.items()):
            return await handle(self, request)

    module.Application._handle = handling


_PATCHES = {
    "uvicorn.config": _uvicorn,
    "hypercorn.app_wrappers": _hypercorn,
    "gunicorn.http.wsgi": _gunicorn,
    "waitress.task": lambda module: _environ(module.WSGITask, "get_environment"),
    "werkzeug.serving": lambda module: _environ(module.WSGIRequestHandler, "make_environ"),
    "wsgiref.handlers": _wsgiref,
    "http.server": _http_server,
    "aiohttp.web_app": _aiohttp,
}
