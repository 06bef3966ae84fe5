"""The sidecar's endpoint for Prometheus: two paths, and nothing of Envoy's admin interface behind them.

``/stats/prometheus`` has the sidecar's metrics and, where it was asked for, the application's; ``/healthz/ready`` says
whether the sidecar serves.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from weft.agent.asked import serve_answers
from weft.agent.config import Scraped
from weft.agent.dialing import dial
from weft.agent.exposition import exposition
from weft.agent.http import HttpClient, Unanswered
from weft.agent.lasting import Lasting
from weft.kit.clock import Clock
from weft.kit.errors import UserError
from weft.model.reporting import STATISTICS
from weft.model.series import End

METRICS, READY = "/stats/prometheus", "/healthz/ready"
_ENVOYS = f"{METRICS}?filter=^{STATISTICS}%5C."
_KIND = "text/plain; version=0.0.4; charset=utf-8"
_TIMEOUT = 10.0
_FRESH = 1.0
"""Seconds for which an answer is given again: a flood of questions costs little."""
_LOCAL = "127.0.0.1"
_FAILED = (
    "# HELP weft_application_scrape_failed Whether the application's own metrics could not be had.\n"
    "# TYPE weft_application_scrape_failed gauge\nweft_application_scrape_failed 1\n"
)
_ACCEPT = (("Accept", "text/plain;version=0.0.4"),)

Ask = Callable[[str], Awaitable[str]]
"""Asks Envoy's admin interface for a path. Raises ``Unanswered``."""


class Scraping:
    """Answers Prometheus. ``own`` is the workload itself."""

    def __init__(self, ask: Ask, own: Callable[[], End], metrics: Scraped | None, clock: Clock, mark: int = 0) -> None:
        self._ask = ask
        self._own = own
        self._clock = clock
        self._application = _client(metrics, mark) if metrics else None
        self._path = metrics.path if metrics else ""
        self._turn = asyncio.Lock()
        self._known = ("", -_FRESH)
        self._lasting = Lasting()

    async def serve(self, address: str, port: int) -> None:
        """Answer on a port until cancelled. Raises ``UserError`` when the port cannot be had."""
        taken = UserError(
            f"the sidecar's metrics cannot be offered on {address}:{port}",
            help="choose another --scrape-port, or 0 for none",
        )
        await serve_answers(self._answer, address, port, seconds=_TIMEOUT, kind=_KIND, taken=taken)

    async def _answer(self, head: str) -> tuple[str, bytes]:
        status, text = await self._response(head)
        return status, text.encode()

    async def _response(self, head: str) -> tuple[str, str]:
        method, _, rest = head.partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        if method != "GET" or path not in (METRICS, READY):
            return "404 Not Found", f"there is {METRICS} and {READY}\n"
        try:
            return "200 OK", await (self._metrics() if path == METRICS else self._ask("/ready"))
        except Unanswered as silent:
            return "503 Service Unavailable", f"the sidecar does not answer: {silent}\n"

    async def _metrics(self) -> str:
        async with self._turn:
            text, at = self._known
            if self._clock.monotonic() - at < _FRESH:
                return text
            envoys = await self._ask(_ENVOYS)
            text = await asyncio.to_thread(self._written, envoys, await self._of_application())
            self._known = (text, self._clock.monotonic())
            return text

    def _written(self, envoys: str, application: str) -> str:
        own = self._own()
        return exposition(self._lasting.whole(envoys, own), own, application)

    async def _of_application(self) -> str:
        if self._application is None:
            return ""
        try:
            answer = await self._application.request("GET", self._path)
        except Unanswered:
            return _FAILED
        return answer.body.decode(errors="replace") if answer.status == 200 else _FAILED


def _client(metrics: Scraped, mark: int) -> HttpClient:
    return HttpClient(partial(dial, _LOCAL, metrics.port, mark), _LOCAL, _TIMEOUT / 3, headers=_ACCEPT)
