"""HTTP clients: where each of them has all of a request's headers and has sent nothing yet."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from weft_client.headers import added


def patch(module: ModuleType) -> None:
    """Patch one client. Raises ``AttributeError`` for one that is not as it was known."""
    _PATCHES[module.__name__](module)


def _httpx(module: Any) -> None:
    send, send_async = module.Client.send, module.AsyncClient.send

    def sending(self: Any, request: Any, **options: Any) -> Any:
        _fill(request.headers)
        return send(self, request, **options)

    async def sending_async(self: Any, request: Any, **options: Any) -> Any:
        _fill(request.headers)
        return await send_async(self, request, **options)

    module.Client.send, module.AsyncClient.send = sending, sending_async


def _requests(module: Any) -> None:
    send = module.Session.send

    def sending(self: Any, request: Any, **options: Any) -> Any:
        _fill(request.headers)
        return send(self, request, **options)

    module.Session.send = sending


def _urllib(module: Any) -> None:
    prepare = module.AbstractHTTPHandler.do_request_

    def preparing(self: Any, request: Any) -> Any:
        prepared = prepare(self, request)
        for name, value in added([name for name, _ in prepared.header_items()]):
            prepared.add_unredirected_header(name, value)
        return prepared

    module.AbstractHTTPHandler.do_request_ = preparing
    for handler in (module.HTTPHandler, getattr(module, "HTTPSHandler", None)):
        # Its subclasses name the method themselves: ``http_request = AbstractHTTPHandler.do_request_``.
        if handler is not None:
            setattr(handler, "http_request" if handler is module.HTTPHandler else "https_request", preparing)


def _aiohttp(module: Any) -> None:
    request = module.ClientSession._request

    async def requesting(self: Any, method: Any, url: Any, **options: Any) -> Any:
        headers = self._prepare_headers(options.pop("headers", None))
        headers.extend(added(headers.keys()))
        return await request(self, method, url, headers=headers, **options)

    module.ClientSession._request = requesting


def _fill(headers: Any) -> None:
    for name, value in added(list(headers.keys())):
        headers[name] = value


_PATCHES = {
    "httpx": _httpx,
    "httpx2": _httpx,
    "requests.sessions": _requests,
    "urllib.request": _urllib,
    "aiohttp.client": _aiohttp,
}
