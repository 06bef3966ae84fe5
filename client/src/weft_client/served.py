"""What middleware knows of the request that is served: ``scope["weft"]``, ``environ["weft"]``, ``current()``."""

from __future__ import annotations

import time
from contextvars import ContextVar

from weft_client.caller import Caller

_current: ContextVar[Served | None] = ContextVar("weft_served", default=None)


class Served:
    """A request's ``caller``, ``None`` for one that proved nothing, and how long it is waited for."""

    __slots__ = ("_ends_at", "caller")

    def __init__(self, caller: Caller | None, seconds: float | None) -> None:
        self.caller = caller
        self._ends_at = None if seconds is None else time.monotonic() + seconds

    @property
    def remaining(self) -> float | None:
        """The seconds that the caller still waits, 0 when it does not any more; ``None`` if it did not say."""
        return None if self._ends_at is None else max(self._ends_at - time.monotonic(), 0.0)


def current() -> Served | None:
    """The request that is served in this context."""
    return _current.get()
