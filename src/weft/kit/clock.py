"""Time as something handed in, so that tests own it."""

import time
from typing import Protocol


class Clock(Protocol):
    """Wall-clock and monotonic time, in seconds."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go backwards."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never go backwards."""
        return time.monotonic()


class FakeClock:
    """A clock that moves only when a test says so."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._time = start

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._time

    def monotonic(self) -> float:
        """Seconds that never go backwards."""
        return self._time

    def advance(self, seconds: float) -> None:
        """Move time forward."""
        self._time += seconds
