"""Counts in the memory of one control plane. Nothing waits in here, so what is asked at once is counted in turn."""

from collections import OrderedDict

from weft.kit.clock import Clock
from weft.limits.counting import Ask, Told, used

MOST_KEYS = 500_000
_Window = tuple[int, int, int]
"""The number of a window, what was counted in it, and in the one before."""


class MemoryCounters:
    """The counts of at most ``most_keys`` keys; the one that was asked for longest ago is forgotten first."""

    def __init__(self, clock: Clock, most_keys: int = MOST_KEYS) -> None:
        self._clock = clock
        self._most = most_keys
        self._windows: OrderedDict[str, _Window] = OrderedDict()

    async def take(self, asks: tuple[Ask, ...]) -> tuple[Told, ...]:
        """Answer, and count if all have enough."""
        now = self._clock.now()
        found = [self._window(ask, now) for ask in asks]
        enough = [_used(ask, one, now) + ask.cost <= ask.allowed for ask, one in zip(asks, found, strict=True)]
        passes = all(fits or ask.shadow for ask, fits in zip(asks, enough, strict=True))
        told = []
        for ask, (number, current, previous), fits in zip(asks, found, enough, strict=True):
            current += ask.cost if passes and fits else 0
            self._keep(ask.key, (number, current, previous))
            left = max(0, ask.allowed - _used(ask, (number, current, previous), now))
            told.append(Told(enough=fits, remaining=left, reset=ask.period - now % ask.period))
        return tuple(told)

    async def close(self) -> None:
        """Nothing to let go of."""

    def _window(self, ask: Ask, now: float) -> _Window:
        number = int(now // ask.period)
        known, current, previous = self._windows.get(ask.key, (number, 0, 0))
        if known == number:
            return (number, current, previous)
        return (number, 0, current if known == number - 1 else 0)

    def _keep(self, key: str, window: _Window) -> None:
        self._windows[key] = window
        self._windows.move_to_end(key)
        if len(self._windows) > self._most:
            self._windows.popitem(last=False)


def _used(ask: Ask, window: _Window, now: float) -> int:
    return used(window[1], window[2], now % ask.period / ask.period, sliding=ask.sliding)
