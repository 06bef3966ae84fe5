"""Damps an application that is well and ill by turns: each time it comes back sooner, it is believed later.

Being ill is believed at once, always: callers lose nothing by going elsewhere. Being well again is believed at once the
first times, and after a while that doubles when it keeps on changing.
"""

from weft.kit.clock import Clock

WINDOW = 60.0
FREE = 3
"""So often within the window it may fall ill without being held back."""
LONGEST = 60.0


class Damping:
    """Times at which an application fell ill. ``hold`` is the first while, in seconds; 0: nothing is held back."""

    def __init__(self, clock: Clock, hold: float) -> None:
        self._clock = clock
        self._hold = hold
        self._fell: list[float] = []
        self._until = 0.0
        self.believed_at = 0.0
        """When it is believed again, in seconds since the epoch; 0 where nothing is held back."""

    @property
    def times(self) -> int:
        """How often it fell ill of late."""
        return len(self._fell)

    def fell_ill(self) -> None:
        """It is ill now."""
        now = self._clock.monotonic()
        self._fell = [one for one in self._fell if one > now - WINDOW] + [now]
        self._until = 0.0

    def recovered(self) -> float:
        """It is well now; for how many seconds that is not to be believed."""
        now = self._clock.monotonic()
        times = sum(one > now - WINDOW for one in self._fell) - FREE
        seconds = min(self._hold * 2 ** (times - 1), LONGEST) if times > 0 and self._hold > 0 else 0.0
        self._until = now + seconds
        self.believed_at = self._clock.now() + seconds if seconds else 0.0
        return seconds

    @property
    def left(self) -> float:
        """Seconds until it is believed."""
        return max(self._until - self._clock.monotonic(), 0.0)
