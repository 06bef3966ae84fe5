"""``Client("reviews")``: calls to a service of the mesh, wherever the caller is.

Beside a sidecar it takes the way that the sidecar offers, elsewhere the service's name. It passes trace headers and
the deadline of the current request on, and leaves retries to the mesh: who tries again at every hop makes a storm.
httpx2 or httpx does the work; it is loaded with the first call.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from weft_client.deadlines import HEADER, DeadlineExceeded, header_of, remaining
from weft_client.headers import added
from weft_client.place import Way, way_to

_CONNECT = 5.0


class _Service(ABC):
    """What the two clients have in common: where a service is and what is said to it."""

    def __init__(
        self,
        service: str,
        *,
        port: int | None = None,
        timeout: float | None = 15.0,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        """``service``: a name as other services know it, ``reviews``, ``reviews.shop`` or ``reviews:9080``.

        A call may take ``timeout`` seconds in all, less where the request that is served ends before. ``options`` go
        to httpx's client.
        """
        host, number = _place_of(service)
        self.service = host
        self.port = port or number
        self.timeout = timeout
        self._headers = dict(headers or {})
        self._options = options
        self._pools: dict[Way, Any] = {}
        self._turn = threading.Lock()

    @abstractmethod
    def request(self, method: str, path: str, **options: Any) -> Any:
        """Call a path."""

    def get(self, path: str, **options: Any) -> Any:
        """``request`` with GET."""
        return self.request("GET", path, **options)

    def head(self, path: str, **options: Any) -> Any:
        """``request`` with HEAD."""
        return self.request("HEAD", path, **options)

    def options(self, path: str, **options: Any) -> Any:
        """``request`` with OPTIONS."""
        return self.request("OPTIONS", path, **options)

    def post(self, path: str, **options: Any) -> Any:
        """``request`` with POST."""
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> Any:
        """``request`` with PUT."""
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> Any:
        """``request`` with PATCH."""
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> Any:
        """``request`` with DELETE."""
        return self.request("DELETE", path, **options)

    def _pool(self, kind: str) -> tuple[Any, Way]:
        """Connections by the way: tests run several applications in one process."""
        way = way_to(self.service, self.port)
        with self._turn:
            if way not in self._pools:
                given = {"base_url": way.base, **self._options}
                if way.proxy:
                    given.update(proxy=way.proxy, trust_env=False)
                elif way.host:
                    given.update(trust_env=False)
                self._pools[way] = getattr(_httpx(), kind)(**given)
            return self._pools[way], way

    def _request(self, kind: str, method: str, path: str, options: dict[str, Any]) -> tuple[Any, Any, float | None]:
        """The pool, the request and the seconds that it may take."""
        seconds = remaining(options.pop("timeout", self.timeout))
        pool, way = self._pool(kind)
        given = {**self._headers, **dict(options.pop("headers", None) or {})}
        names = [*given, "host"] if way.host else list(given)
        said = dict(added(names))
        if seconds is not None:
            said[HEADER] = header_of(seconds)
            options["timeout"] = _httpx().Timeout(seconds, connect=min(seconds, _CONNECT))
        if way.host:
            said["host"] = way.host
        return pool, pool.build_request(method, path, headers={**said, **given}, **options), seconds

    def _late(self, seconds: float | None) -> DeadlineExceeded:
        return DeadlineExceeded(f"{self.service} did not answer within {seconds or 0:.3g} s")


class Client(_Service):
    """Synchronous, for any number of threads. Answers are httpx's; close it, or use it in a ``with`` block."""

    def request(self, method: str, path: str, **options: Any) -> Any:
        """Call a path. Raises httpx's errors, and ``DeadlineExceeded`` when the service did not say more in time."""
        pool, request, seconds = self._request("Client", method, path, options)
        try:
            return pool.send(request)
        except _httpx().ReadTimeout:
            raise self._late(seconds) from None

    def stream(self, method: str, path: str, **options: Any) -> Any:
        """An answer whose body is read piece by piece, in a ``with`` block."""
        return _Stream(*self._request("Client", method, path, options)[:2])

    def close(self) -> None:
        """Close its connections."""
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient(_Service):
    """The same for asyncio; one for each event loop."""

    async def request(self, method: str, path: str, **options: Any) -> Any:
        """Call a path. Raises httpx's errors, and ``DeadlineExceeded`` where the time is over."""
        import asyncio

        pool, request, seconds = self._request("AsyncClient", method, path, options)
        try:
            return await asyncio.wait_for(pool.send(request), seconds)
        except (asyncio.TimeoutError, _httpx().ReadTimeout):
            raise self._late(seconds) from None

    def stream(self, method: str, path: str, **options: Any) -> Any:
        """An answer whose body is read piece by piece, in an ``async with`` block."""
        return _AsyncStream(*self._request("AsyncClient", method, path, options)[:2])

    async def aclose(self) -> None:
        """Close its connections."""
        for pool in self._pools.values():
            await pool.aclose()
        self._pools.clear()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class _Stream:
    def __init__(self, pool: Any, request: Any) -> None:
        self._pool = pool
        self._request = request

    def __enter__(self) -> Any:
        self._answer = self._pool.send(self._request, stream=True)
        return self._answer

    def __exit__(self, *_: object) -> None:
        self._answer.close()


class _AsyncStream:
    def __init__(self, pool: Any, request: Any) -> None:
        self._pool = pool
        self._request = request

    async def __aenter__(self) -> Any:
        self._answer = await self._pool.send(self._request, stream=True)
        return self._answer

    async def __aexit__(self, *_: object) -> None:
        await self._answer.aclose()


def _place_of(service: str) -> tuple[str, int | None]:
    """The host and port of ``reviews``, ``reviews:9080`` or ``http://reviews:9080``."""
    parts = urlsplit(service if "://" in service else f"//{service}")
    if parts.scheme not in ("", "http") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError(f"{service!r} is no service: write its name, and its port if it is not 80: reviews:9080")
    return parts.hostname, parts.port


@functools.lru_cache(maxsize=1)
def _httpx() -> Any:
    """httpx2, or httpx. Raises ``ModuleNotFoundError`` with what to do."""
    for name in ("httpx2", "httpx"):
        if importlib.util.find_spec(name) is not None:
            return importlib.import_module(name)
    raise ModuleNotFoundError("weft_client.Client needs httpx: pip install httpx2", name="httpx2")
