"""Leases: how long a workload that went silent stays. On monotonic time, in memory only, never written."""

from weft.kit.clock import Clock
from weft.model.document import Key

LEASE_SECONDS = 15.0
REAP_INTERVAL = 1.0
_LATE = 5.0


class Leases:
    """When each known workload's lease ends."""

    def __init__(self, clock: Clock, seconds: float = LEASE_SECONDS) -> None:
        self.seconds = seconds
        self._clock = clock
        self._ends: dict[Key, float] = {}
        self._checked = clock.monotonic()

    def renew(self, key: Key) -> None:
        """Give a workload a whole lease from now."""
        self._ends[key] = self._clock.monotonic() + self.seconds

    def end(self, key: Key) -> None:
        """Forget a workload."""
        self._ends.pop(key, None)

    def expired(self) -> tuple[Key, ...]:
        """The workloads whose lease has ended, in order of name.

        When nobody asked for long, this process was stopped and could hear no heartbeat: everybody gets a whole
        lease again, because the silence was ours.
        """
        now = self._clock.monotonic()
        silence, self._checked = now - self._checked, now
        if silence > REAP_INTERVAL + _LATE:
            self._ends = dict.fromkeys(self._ends, now + self.seconds)
        return tuple(sorted((key for key, end in self._ends.items() if end <= now), key=str))
