"""Whether callers know by now what a workload said: that it goes, above all, so that it need not guess when it may.

Every proxy on a stream of ours counts. One without a stream cannot be asked: it is told as soon as it comes back, and
right after our own start, when none has come back yet, nothing is claimed.
"""

import asyncio
from collections.abc import Awaitable, Callable

from weft.compiler.resource import ENDPOINTS
from weft.kit.clock import Clock
from weft.xds.fleet import Fleet
from weft.xds.introduction import Introduction

_LOOK = 0.02
RETURN_SECONDS = 10.0
"""How long proxies get to come back to a control plane that started."""


class Farewells:
    """``reached`` is the revision that a stream was given, ``newest`` that of the store."""

    def __init__(
        self,
        fleet: Fleet,
        reached: Callable[[Introduction], int],
        newest: Callable[[], Awaitable[int]],
        clock: Clock,
        settling: float = RETURN_SECONDS,
    ) -> None:
        self._fleet = fleet
        self._reached = reached
        self._newest = newest
        self._clock = clock
        self._known: dict[int, int] = {}
        self._looked = -1.0
        self._lowest: float = 0
        self._settled_at = clock.monotonic() + settling

    async def told(self, seconds: float) -> bool:
        """Whether every proxy uses the endpoints of what is stored by now; ``False`` after so many seconds."""
        revision = await self._newest()
        ends = self._clock.monotonic() + seconds
        while self._lowest_known() < revision or self._clock.monotonic() < self._settled_at:
            if self._clock.monotonic() >= ends:
                return False
            await asyncio.sleep(_LOOK)
        return True

    def _lowest_known(self) -> float:
        """The revision whose endpoints every proxy uses; worked out once in a while, however many ask."""
        now = self._clock.monotonic()
        if now - self._looked >= _LOOK:
            self._looked = now
            streams = self._fleet.connections()
            for number, one in streams.items():
                if one.session.uses(ENDPOINTS):
                    self._known[number] = self._reached(one.introduction)
            self._known = {number: revision for number, revision in self._known.items() if number in streams}
            self._lowest = min((self._known.get(number, 0) for number in streams), default=float("inf"))
        return self._lowest
