"""Which resolution a sum over a time is read in: the coarsest that is there, and finer ones for what juts out."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from weft.observe.windows.packing import LENGTHS, MINUTE, QUARTER, STEP

_FINER = {QUARTER: MINUTE, MINUTE: STEP}


class Part(NamedTuple):
    """Steps of one length that end after ``start`` and up to ``end``, in milliseconds."""

    step: int
    start: int
    end: int

    @property
    def stretches(self) -> tuple[int, int]:
        """From which beginning to before which its stretches are."""
        length = LENGTHS[self.step]
        return self.start // length * length, self.end

    @property
    def many(self) -> int:
        """How many stretches of a series these are at most."""
        begin, end = self.stretches
        return -((begin - end) // LENGTHS[self.step])


def parts_of(start: int, end: int, since: Mapping[int, int], rolled: Mapping[int, int]) -> Iterator[Part]:
    """The parts of a time, which do not overlap. ``since`` is from when on each resolution is kept, ``rolled`` until
    when the coarse ones are made."""
    yield from _covered(QUARTER, start, end, since, rolled)


def _covered(step: int, start: int, end: int, since: Mapping[int, int], rolled: Mapping[int, int]) -> Iterator[Part]:
    if start >= end:
        return
    if step == STEP:
        yield Part(STEP, start, end)
        return
    finer = _FINER[step]
    gone = since[finer]
    first = start if start < gone else start + -start % step
    until = max(rolled[step], gone)
    last = end if end <= gone else min(end, until) // step * step
    if first >= last:
        yield from _covered(finer, start, end, since, rolled)
        return
    yield from _covered(finer, start, first, since, rolled)
    yield Part(step, first, last)
    yield from _covered(finer, last, end, since, rolled)
