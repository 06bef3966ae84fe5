"""Distributions as counts in logarithmic buckets, which merge by adding and answer quantiles within 1 %.

Bucket ``i`` holds what lies in ``(G**(i-1), G**i]`` for ``G = 1.005 / 0.995``, so that the middle of a bucket is at
most 0.5 % away from everything in it (Masson, Rim, Lee: DDSketch, 2019), and everything in it at most 1 % from each
other: what PromQL interpolates within a bucket is right within 1 % too. Zero has a bucket of its own.
"""

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise

ACCURACY = 0.005
_GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GAMMA = math.log(_GAMMA)
ZERO = -(2**31)
"""The bucket of 0 and of what is less than a billionth."""
_LEAST = 1e-9


def bucket_of(value: float) -> int:
    """The bucket of a value that is not negative."""
    return ZERO if value < _LEAST else math.ceil(math.log(value) / _LOG_GAMMA - 1e-9)


def upper_of(bucket: int) -> float:
    """The largest value of a bucket."""
    return 0.0 if bucket == ZERO else math.exp(bucket * _LOG_GAMMA)


def middle_of(bucket: int) -> float:
    """The value that stands for a bucket: at most 0.5 % from each value in it."""
    return 0.0 if bucket == ZERO else 2 * math.exp(bucket * _LOG_GAMMA) / (_GAMMA + 1)


class Sketch:
    """Counts by bucket. Mutable while it gathers; whoever keeps one copies it."""

    __slots__ = ("counts",)

    def __init__(self, counts: Mapping[int, float] | None = None) -> None:
        self.counts: dict[int, float] = dict(counts or {})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sketch) and self.counts == other.counts

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def of_values(cls, values: Iterable[float]) -> "Sketch":
        """One count for each value."""
        sketch = cls()
        for value in values:
            sketch.add(value)
        return sketch

    @classmethod
    def of_buckets(cls, buckets: Iterable[tuple[float, float]]) -> "Sketch":
        """From a histogram with bounds of its own: ``(upper bound, count of this bucket alone)``, ascending.

        What lies between two bounds is spread evenly over the buckets between them, as a reader of that histogram
        would assume; what lies above the last finite bound is counted at that bound.
        """
        sketch, lower = cls(), 0.0
        for upper, count in buckets:
            if count:
                sketch._spread(lower, upper, count)
            lower = upper if math.isfinite(upper) else lower
        return sketch

    def add(self, value: float, count: float = 1.0) -> None:
        """Count a value."""
        bucket = bucket_of(value)
        self.counts[bucket] = self.counts.get(bucket, 0.0) + count

    def merge(self, other: "Sketch") -> None:
        """Add another's counts."""
        for bucket, count in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0.0) + count

    def total(self) -> float:
        """How many values were counted."""
        return math.fsum(self.counts.values())

    def quantile(self, wanted: float) -> float:
        """The value below which a share from 0 to 1 of all lies, within 0.5 %; NaN when there is nothing."""
        ordered = sorted(self.counts.items())
        if not ordered:
            return math.nan
        rank, seen = wanted * (self.total() - 1), 0.0
        for bucket, count in ordered:
            seen += count
            if seen > rank:
                return middle_of(bucket)
        return middle_of(ordered[-1][0])

    def _spread(self, lower: float, upper: float, count: float) -> None:
        if not math.isfinite(upper) or upper <= lower:
            self.add(lower, count)
            return
        first, last = bucket_of(max(lower, upper * 1e-4)), bucket_of(upper)
        edges = [lower, *(upper_of(bucket) for bucket in range(first, last)), upper]
        for low, high in pairwise(edge for edge in edges if edge >= lower):
            if high > low:
                self.add((low + high) / 2, count * (high - low) / (upper - lower))
