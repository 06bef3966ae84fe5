"""How often one caller may ask: a token bucket for each, in bounded memory."""

from collections import OrderedDict

from weft.kit.clock import Clock

_MOST_CALLERS = 10_000
_ROUNDING = 1e-6


class Rates:
    """``burst`` calls at once, then ``per_second``; callers that were quiet longest are forgotten first."""

    def __init__(self, clock: Clock, *, per_second: float, burst: int) -> None:
        self._clock = clock
        self._per_second = per_second
        self._burst = burst
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """By caller: the calls that were left, and when."""

    def allows(self, caller: str) -> bool:
        """Whether the caller may call now; if so, the call is counted."""
        now = self._clock.monotonic()
        left, before = self._left.get(caller, (float(self._burst), now))
        left = min(float(self._burst), left + (now - before) * self._per_second)
        if left < 1 - _ROUNDING:
            return False
        self._left[caller] = (left - 1, now)
        self._left.move_to_end(caller)
        if len(self._left) > _MOST_CALLERS:
            self._left.popitem(last=False)
        return True
