"""What a place that counts is asked and answers, and the arithmetic of windows that all such places have.

Only what passes is counted: whoever is refused pays nothing, and of several limits a request takes of all or of none.
A fixed window begins anew with each period of the clock. A sliding one also counts as much of the period before as
still lies within it, taken as evenly spread.
"""

import math
from typing import Protocol

from weft.kit.errors import WeftError
from weft.kit.value import Value


class Unavailable(WeftError):
    """The place that counts cannot be reached; the proxy does what its policy says of that."""


class Ask(Value):
    """One limit's question: may ``key`` take ``cost`` of ``allowed`` in ``period`` seconds? ``shadow``: only count."""

    key: str
    allowed: int
    period: int
    cost: int = 1
    sliding: bool = False
    shadow: bool = False


class Told(Value):
    """The answer: whether there was enough, what is left, and the seconds until the window begins anew."""

    enough: bool
    remaining: int
    reset: float


class Counters(Protocol):
    """A place that counts."""

    async def take(self, asks: tuple[Ask, ...]) -> tuple[Told, ...]:
        """Answer in order, and count if all that are no shadows have enough. Raises ``Unavailable``."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...


def used(current: int, previous: int, into: float, *, sliding: bool) -> int:
    """What counts of two windows when a share ``into`` of the current one has passed."""
    return current + math.ceil(previous * (1 - into)) if sliding else current
