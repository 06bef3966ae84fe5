"""Which samples lie in the range of each step; found once for all series that have their samples at the same times.

What rates need of it is kept in columns, for then a whole series is computed by a few passes over lists.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from weft.observe.promql.columns import Column

Places = Sequence[int]
"""Places of samples; a ``range`` where they are evenly apart, as they mostly are."""


class Part(NamedTuple):
    """The samples ``first`` to ``last`` (not included) of a series, which lie in ``start`` to ``end`` milliseconds."""

    first: int
    last: int
    start: int
    end: int
    argument: float


class Spans(NamedTuple):
    """The parts of two samples at least: from the samples at ``first`` to those at ``last``, and seconds.

    ``sampled`` lies between these, ``before`` and ``after`` are how far a rate is stretched beyond them; ``factor`` is
    by how much what lies between grows by that. ``there`` says which steps have such a part, ``None``: all.
    """

    there: list[bool] | None
    first: Places
    last: Places
    before: list[float]
    sampled: list[float]
    after: list[float]
    factor: list[float]


class Pairs(NamedTuple):
    """The last two samples of the parts that have two, and how many seconds lie between; ``there`` as of ``Spans``."""

    there: list[bool] | None
    before: Places
    last: Places
    seconds: list[float]


class Parts:
    """The parts of all steps, ``None`` where no sample is; ``length`` is how long a range is, in milliseconds."""

    def __init__(self, times: Sequence[int], moments: Sequence[int], length: int, arguments: Sequence[float]) -> None:
        self.length = length
        self._times = times
        self.all = list(self._found(moments, arguments))

    @cached_property
    def spans(self) -> Spans:
        """The parts from which a rate can be told."""
        there, parts = self._of_two()
        first, last = [part.first for part in parts], [part.last - 1 for part in parts]
        stretched = [self._stretched(part) for part in parts]
        return Spans(
            there=there,
            first=_even(first),
            last=_even(last),
            before=[before for before, _, _ in stretched],
            sampled=[sampled for _, sampled, _ in stretched],
            after=[after for _, _, after in stretched],
            factor=[sum(three) / three[1] for three in stretched],
        )

    @cached_property
    def pairs(self) -> Pairs:
        """The last two samples."""
        there, parts = self._of_two()
        last, times = [part.last - 1 for part in parts], self._times
        seconds = [(times[place] - times[place - 1]) / 1000 for place in last]
        return Pairs(there, _even([place - 1 for place in last]), _even(last), seconds)

    def _of_two(self) -> tuple[list[bool] | None, list[Part]]:
        there = [part is not None and part.last - part.first >= 2 for part in self.all]
        parts = [part for part in self.all if part is not None and part.last - part.first >= 2]
        return None if all(there) else there, parts

    def _found(self, moments: Sequence[int], arguments: Sequence[float]) -> Iterator[Part | None]:
        times, length = self._times, self.length
        for moment, argument in zip(moments, arguments, strict=True):
            start = moment - length
            first, last = bisect_right(times, start), bisect_right(times, moment)
            yield Part(first, last, start, moment, argument) if last > first else None

    def _stretched(self, part: Part) -> tuple[float, float, float]:
        """Seconds before, between and after the samples: up to the borders of the range, but half a gap where these are
        farther away than a sample would be."""
        first, last = self._times[part.first], self._times[part.last - 1]
        sampled = (last - first) / 1000
        gap = sampled / (part.last - part.first - 1)
        before, after = (first - part.start) / 1000, (part.end - last) / 1000
        if before >= gap * 1.1:
            before = gap / 2
        if after >= gap * 1.1:
            after = gap / 2
        return before, sampled, after


def picked(values: Sequence[float], places: Places) -> Sequence[float]:
    """The values at those places."""
    if isinstance(places, range):
        return values[places.start : places.stop : places.step]
    return [values[place] for place in places]


def spread(there: list[bool] | None, values: Iterable[float]) -> Column:
    """The values at the steps that have one."""
    if there is None:
        return list(values)
    following = iter(values)
    return [next(following) if here else None for here in there]


def _even(places: list[int]) -> Places:
    if len(places) < 2 or (apart := places[1] - places[0]) <= 0:
        return places
    straight = range(places[0], places[-1] + 1, apart)
    return straight if places == list(straight) else places
