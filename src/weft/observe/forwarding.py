"""The same questions to a Prometheus, or what speaks its API (VictoriaMetrics, Mimir, Thanos), that somebody runs."""

import asyncio

import httpx2
import msgspec

from weft.observe.prometheus import Form, Reply

_TIMEOUT = 30.0
_LARGEST = 64 * 1024 * 1024
_AT_ONCE, _WAITING = 4, 64
"""Questions that are passed on at once, and those that wait for that; more are refused."""


class ForwardedApi:
    """Asks the server at ``address``, verbatim. Its errors are passed on; when there is none, that is said."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")
        self._client = httpx2.AsyncClient(timeout=_TIMEOUT, follow_redirects=False)
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    async def answer(self, question: str, form: Form) -> Reply:
        """The server's reply to what follows ``/api/v1/``."""
        if self._waiting >= _WAITING:
            return _unavailable("the configured Prometheus is slow, and too many questions wait for it")
        self._waiting += 1
        try:
            async with self._slots:
                return await self._asked(question, form)
        finally:
            self._waiting -= 1

    async def _asked(self, question: str, form: Form) -> Reply:
        reads = question.startswith(("label/", "status/")) or question in {"metadata", "rules", "alerts", "targets"}
        fields = {name: list(values) for name, values in form.items()}
        url = f"{self._address}/api/v1/{question}"
        request = (
            self._client.build_request("GET", url, params=fields)
            if reads
            else self._client.build_request("POST", url, data=fields)
        )
        try:
            response = await self._client.send(request, stream=True)
            try:
                return Reply(response.status_code, await _content(response))
            finally:
                await response.aclose()
        except httpx2.HTTPError as failure:
            return _unavailable(f"the configured Prometheus does not answer ({failure})")

    async def run(self) -> None:
        """Nothing is to be done meanwhile."""

    async def close(self) -> None:
        """Close connections."""
        await self._client.aclose()


async def _content(response: httpx2.Response) -> bytes:
    content = bytearray()
    async for piece in response.aiter_bytes():
        content += piece
        if len(content) > _LARGEST:
            raise httpx2.DecodingError(f"its answer is larger than {_LARGEST} bytes")
    return bytes(content)


def _unavailable(message: str) -> Reply:
    body = {"status": "error", "errorType": "unavailable", "error": message}
    return Reply(503, msgspec.json.encode(body))
