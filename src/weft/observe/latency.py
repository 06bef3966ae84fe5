"""Times in mergeable buckets, and percentiles of them."""

from collections.abc import Iterable, Mapping

from weft.kit.value import Value
from weft.model.reporting import MICROSECOND_BOUNDS


class Latency(Value):
    """How many calls took how long: pairs of an index into ``MICROSECOND_BOUNDS`` (one more: longer than all) and a
    count, sorted."""

    buckets: tuple[tuple[int, int], ...] = ()

    @property
    def count(self) -> int:
        """How many calls there were."""
        return sum(count for _, count in self.buckets)

    def percentile(self, percent: float) -> float | None:
        """Milliseconds within which so many calls were answered; within a bucket they are taken as spread evenly."""
        wanted, before = self.count * percent / 100, 0
        for index, count in self.buckets:
            if before + count >= wanted:
                lower, upper = _ends(index)
                return (lower + (upper - lower) * (wanted - before) / count) / 1000
            before += count
        return None


def merged(parts: Iterable[Mapping[int, int]]) -> Latency:
    """All of them together."""
    found: dict[int, int] = {}
    for part in parts:
        for index, count in part.items():
            found[index] = found.get(index, 0) + count
    return Latency(buckets=tuple(sorted(found.items())))


def _ends(index: int) -> tuple[float, float]:
    lower = MICROSECOND_BOUNDS[index - 1] if index else 0.0
    return (lower, MICROSECOND_BOUNDS[index]) if index < len(MICROSECOND_BOUNDS) else (lower, lower)
