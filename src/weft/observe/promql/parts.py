"""Which samples lie in the range of each step; found once for all series that have their samples at the same times."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple


class Part(NamedTuple):
    """The samples ``first`` to ``last`` (not included) of a series, which lie in ``start`` to ``end`` milliseconds."""

    first: int
    last: int
    start: int
    end: int
    argument: float


class Span(NamedTuple):
    """A part of two samples at least: ``first`` to ``last`` (included), and seconds.

    ``sampled`` lies between these, ``before`` and ``after`` are how far a rate is stretched beyond them; ``reach`` is
    their sum.
    """

    first: int
    last: int
    before: float
    sampled: float
    after: float
    reach: float


class Parts:
    """The parts of all steps, ``None`` where no sample is; ``length`` is how long a range is, in milliseconds."""

    def __init__(self, times: Sequence[int], moments: Sequence[int], length: int, arguments: Sequence[float]) -> None:
        self.length = length
        self._times = times
        self.all = list(self._found(moments, arguments))

    @cached_property
    def spans(self) -> list[Span | None]:
        """The parts from which a rate can be told."""
        return [None if part is None or part.last - part.first < 2 else self._span(part) for part in self.all]

    def _found(self, moments: Sequence[int], arguments: Sequence[float]) -> Iterator[Part | None]:
        times, length = self._times, self.length
        for moment, argument in zip(moments, arguments, strict=True):
            start = moment - length
            first, last = bisect_right(times, start), bisect_right(times, moment)
            yield Part(first, last, start, moment, argument) if last > first else None

    def _span(self, part: Part) -> Span:
        """Stretched to the borders, but by half a gap where these are farther away than a sample would be."""
        first, last = self._times[part.first], self._times[part.last - 1]
        sampled = (last - first) / 1000
        gap = sampled / (part.last - part.first - 1)
        before, after = (first - part.start) / 1000, (part.end - last) / 1000
        if before >= gap * 1.1:
            before = gap / 2
        if after >= gap * 1.1:
            after = gap / 2
        return Span(part.first, part.last - 1, before, sampled, after, sampled + before + after)
