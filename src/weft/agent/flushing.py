"""Waits until a proxy has reported what it counted, so that a job that is over is counted whole."""

import asyncio
from collections.abc import Awaitable, Callable

from weft.agent.http import Unanswered
from weft.agent.reporting import FLUSH_SECONDS

_LOOK = 0.1
_SENT = 0.2
"""Seconds that the report gets to leave after it was made."""


async def flushed(ask: Callable[[str], Awaitable[str]]) -> None:
    """Return when the proxy has made a report after this call, or when the time for one is over."""
    try:
        before = await _report(ask)
        async with asyncio.timeout(FLUSH_SECONDS + _LOOK):
            while await _report(ask) == before:  # noqa: ASYNC110  nobody tells
                await asyncio.sleep(_LOOK)
        await asyncio.sleep(_SENT)
    except (Unanswered, TimeoutError):
        return


async def _report(ask: Callable[[str], Awaitable[str]]) -> str:
    """What differs from report to report: Envoy looks at its clock whenever it makes one."""
    return await ask("/stats?filter=^server.uptime$")
