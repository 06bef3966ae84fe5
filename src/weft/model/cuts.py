"""Envoy's histograms cut into cells: how times are counted within 1 % by histograms that have two digits.

Envoy sorts a value by its first two digits, so that what is counted as 10 may be anything below 11. A proxy counts a
time in one of several histograms, chosen by two labels: how many digits the time has in microseconds, and which *slice*
its third digit belongs to. Two digits from the histogram and a slice of the third from its label make a cell
(``weft.model.cells``).

After 10 to 19 the third digit is a slice of its own, after 20 to 49 two of them are one, after 50 to 99 five. So slices
from 5 on need bounds up to 20 only, those from 2 on up to 50.
"""

from itertools import pairwise
from typing import NamedTuple

from weft.model.cells import cell_of

DIGITS, SLICE = "d", "s"
"""The labels."""
OTHER = "0"
"""The digits of what is less than 100 us or longer than 100 s, and the slice of it."""
COUNTS_OF_DIGITS = ("5", "4", "6", "3", "7", "8")
"""Those that are told apart, the most frequent first."""


class Slices(NamedTuple):
    """How the third digit is sliced after the first two, ``first`` to before ``last``."""

    first: int
    last: int
    digits: tuple[str, ...]


SLICES = (
    Slices(10, 20, tuple("0123456789")),
    Slices(20, 50, ("01", "23", "45", "67", "89")),
    Slices(50, 100, ("01234", "56789")),
)
GROUPS = ("01", "234", "56789")
"""Slices whose histograms have the same bounds."""
_LAST = {slice_: last for group, last in zip(GROUPS, (100, 50, 20), strict=True) for slice_ in group}
_OTHER_BOUNDS = (
    *(one - 0.5 for one in range(10, 101, 10)),
    *(one * 10.0**6 for one in (99.5, 295, 595, 1750, 3550)),
)
_OTHER_ENDS = (*range(10, 101, 10), 100_000_000, 300_000_000, 600_000_000, 1_800_000_000, 3_600_000_000)


def bounds_of(digits: str, slice_: str) -> tuple[float, ...]:
    """The bounds of a histogram of times, in microseconds.

    Of the values with the same two digits Envoy counts all or none at a bound: all, if the least of them is below it,
    which it computes in floating point. So bounds are in the middle.
    """
    if digits == OTHER:
        return _OTHER_BOUNDS
    return tuple((one + 0.5) * 10 ** (int(digits) - 2) for one in range(10, _LAST[slice_]))


def ends_of(digits: str, slice_: str) -> tuple[float, ...]:
    """Below what the values are that are counted at each bound, in microseconds."""
    if digits == OTHER:
        return tuple(map(float, _OTHER_ENDS))
    return tuple(float(one * 10 ** (int(digits) - 2)) for one in range(11, _LAST[slice_] + 1))


def _cells(digits: str, slice_: str) -> tuple[int, ...]:
    if digits == OTHER:
        return tuple(cell_of((low + high) / 2000) for low, high in pairwise((0, *_OTHER_ENDS, _OTHER_ENDS[-1] * 2)))
    found = []
    for two in range(10, _LAST[slice_]):
        third = next(one.digits for one in SLICES if one.first <= two < one.last)[int(slice_)][0]
        found.append(cell_of((two * 10 + int(third)) * 10.0 ** (int(digits) - 3) / 1000))
    return (*found, found[-1])


CELLS: dict[tuple[str, str], tuple[int, ...]] = {
    (OTHER, OTHER): _cells(OTHER, OTHER),
    **{(digits, slice_): _cells(digits, slice_) for digits in COUNTS_OF_DIGITS for slice_ in _LAST},
}
"""The cell, in milliseconds, of each bucket of a histogram by its two labels; the last stands for what is beyond."""
