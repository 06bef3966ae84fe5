"""How late the event loop is: what waits for it waits so much longer."""

import asyncio
from bisect import bisect_left
from collections import deque

BOUNDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
"""Seconds."""
_EVERY = 0.25
_REMEMBERED = 240


class LoopLag:
    """Measures by sleeping. ``counts`` are by ``BOUNDS``, the last one beyond them, ``total`` is their sum."""

    def __init__(self) -> None:
        self._lately: deque[float] = deque(maxlen=_REMEMBERED)
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    @property
    def worst(self) -> float:
        """The longest delay within the last minute, in seconds."""
        return max(self._lately, default=0.0)

    def add(self, seconds: float) -> None:
        """Remember a delay."""
        late = max(seconds, 0.0)
        self._lately.append(late)
        self.counts[bisect_left(BOUNDS, late)] += 1
        self.total += late

    async def run(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            await asyncio.sleep(_EVERY)
            self.add(loop.time() - begun - _EVERY)
