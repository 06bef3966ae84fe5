"""What the discovery server did, in numbers: what was sent, what was refused, and how soon clients used it."""

from bisect import bisect_left

CONVERGENCE_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds."""


class Tally:
    """Counts since the start. ``converged`` are counts by ``CONVERGENCE_BOUNDS``, the last one beyond them."""

    def __init__(self) -> None:
        self.pushes: dict[str, int] = {}
        self.bytes: dict[str, int] = {}
        self.refusals = 0
        self.converged = [0] * (len(CONVERGENCE_BOUNDS) + 1)
        self.seconds = 0.0

    def pushed(self, type_url: str, size: int) -> None:
        """A response was sent."""
        self.pushes[type_url] = self.pushes.get(type_url, 0) + 1
        self.bytes[type_url] = self.bytes.get(type_url, 0) + size

    def settled(self, seconds: float) -> None:
        """A client uses everything of an offer, so long after it was made."""
        self.converged[bisect_left(CONVERGENCE_BOUNDS, seconds)] += 1
        self.seconds += seconds
