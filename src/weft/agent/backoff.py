"""How long to wait before a program that ended is started again."""

from weft.kit.clock import Clock

_SHORTEST = 0.25
_LONGEST = 10.0
_STABLE = 30.0


class Backoff:
    """Doubles from a quarter of a second to ten, and forgets after half a minute of running well."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pause = _SHORTEST
        self._started = clock.monotonic()

    def started(self) -> None:
        """The program runs now."""
        self._started = self._clock.monotonic()

    def pause(self) -> float:
        """Seconds to wait now that it has ended."""
        if self._clock.monotonic() - self._started >= _STABLE:
            self._pause = _SHORTEST
        pause, self._pause = self._pause, min(self._pause * 2, _LONGEST)
        return pause
