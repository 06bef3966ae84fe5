"""Times in mergeable buckets, and percentiles of them."""

from collections.abc import Iterable, Mapping

from weft.kit.value import Value
from weft.model.cells import lower_of, middle_of
from weft.observe.windows.amounts import COUNT


class Latency(Value):
    """How many calls took how many milliseconds: pairs of a cell (``weft.model.cells``) and a count, sorted."""

    buckets: tuple[tuple[int, float], ...] = ()

    @property
    def count(self) -> int:
        """How many calls there were."""
        return round(sum(count for _, count in self.buckets))

    def percentile(self, percent: float) -> float | None:
        """Milliseconds within which so many per cent of the calls were answered; ``None`` without calls."""
        return self.percentiles((percent,))[0]

    def percentiles(self, percents: Iterable[float]) -> tuple[float | None, ...]:
        """As ``percentile``, for several in one go; they ascend."""
        total, before, found = sum(count for _, count in self.buckets), 0.0, []
        buckets = iter(self.buckets)
        bucket: int | None = None
        for percent in percents:
            wanted = total * percent / 100 - 1e-6
            while before < wanted or bucket is None:
                more = next(buckets, None)
                if more is None:
                    break
                bucket, before = more[0], before + more[1]
            found.append(None if bucket is None else middle_of(bucket))
        return tuple(found)

    def within(self, milliseconds: float) -> float:
        """How many calls took less than that: exact for times of two digits (and 250, 2500)."""
        return sum(count for bucket, count in self.buckets if lower_of(bucket) < milliseconds * (1 - 1e-9))


def merged(parts: Iterable[Latency]) -> Latency:
    """All of them together."""
    found: dict[int, float] = {}
    for part in parts:
        for bucket, count in part.buckets:
            found[bucket] = found.get(bucket, 0) + count
    return Latency(buckets=tuple(sorted(found.items())))


def latency_of(amount: Mapping[int, float]) -> Latency:
    """The times in an amount of a distribution."""
    return Latency(buckets=tuple(sorted((place, count) for place, count in amount.items() if place < COUNT)))
