"""How often one caller may ask: a token bucket for each, in bounded memory."""

from collections import OrderedDict

from weft.kit.clock import Clock

_MOST_CALLERS = 10_000


class Rates:
    """``burst`` calls at once, then ``per_second``; callers that were quiet longest are forgotten first."""

    def __init__(self, clock: Clock, *, per_second: float, burst: int) -> None:
        self._clock = clock
        self._per_second = per_second
        self._burst = burst
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def allows(self, caller: str) -> bool:
        """Whether the caller may call now; if so, the call is counted."""
        now = self._clock.monotonic()
        full_at = max(self._full_at.get(caller, now), now) + 1 / self._per_second
        if full_at - now > self._burst / self._per_second + 1e-9:
            return False
        self._full_at[caller] = full_at
        self._full_at.move_to_end(caller)
        if len(self._full_at) > _MOST_CALLERS:
            self._full_at.popitem(last=False)
        return True
