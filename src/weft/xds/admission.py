"""How many new streams a second are let in: a storm of reconnecting proxies is served in order, the rest come back."""

import asyncio

from weft.kit.clock import Clock
from weft.xds.errors import TooMuch


class Admission:
    """First come, first served at ``rate`` a second after a ``burst``; whoever would wait longer is refused."""

    def __init__(self, clock: Clock, *, rate: float = 100.0, burst: int = 100, patience: float = 1.0) -> None:
        self._clock = clock
        self._interval = 1.0 / rate
        self._burst = burst * self._interval
        self._patience = patience
        self._free_at = clock.monotonic()

    async def enter(self) -> None:
        """Wait for a turn. Raises ``TooMuch`` at once when it would take longer than patience allows."""
        now = self._clock.monotonic()
        turn = max(self._free_at, now - self._burst)
        wait = turn - now
        if wait > self._patience:
            raise TooMuch("too many new streams, come back later")
        self._free_at = turn + self._interval
        if wait > 0:
            await asyncio.sleep(wait)
