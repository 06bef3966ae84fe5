"""Distributions as counts in cells (``weft.model.cells``), which merge by adding and answer quantiles within 1 %.

A cell is at most 1 % wide and its middle at most 0.5 % away from everything in it, so that what PromQL interpolates
within a cell is right within 1 % whatever the values are.
"""

import math
from collections.abc import Iterable, Mapping

from weft.model.cells import cell_of, middle_of

ACCURACY = 0.005


class Sketch:
    """Counts by cell. Mutable while it gathers; whoever keeps one copies it."""

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

    def add(self, value: float, count: float = 1.0) -> None:
        """Count a value."""
        cell = cell_of(value)
        self.counts[cell] = self.counts.get(cell, 0.0) + count

    def merge(self, other: "Sketch") -> None:
        """Add another's counts."""
        for cell, count in other.counts.items():
            self.counts[cell] = self.counts.get(cell, 0.0) + count

    def total(self) -> float:
        """How many values were counted."""
        return math.fsum(self.counts.values())

    def quantile(self, wanted: float) -> float:
        """The value below which a share from 0 to 1 of all lies, within 0.5 %; NaN when there is nothing."""
        ordered = sorted(self.counts.items())
        if not ordered:
            return math.nan
        rank, seen = wanted * (self.total() - 1), 0.0
        for cell, count in ordered:
            seen += count
            if seen > rank:
                return middle_of(cell)
        return middle_of(ordered[-1][0])
