"""Decimal cells, in which times and sizes are counted: bounds of three digits at most, none wider than 1 %.

From 1 to 2 a cell is as wide as 0.01, from 2 to 5 as 0.02, from 5 to 10 as 0.05, and so in each decade: 350 of them.
The middle of a cell is at most 0.5 % from everything in it. The bounds of Istio's histograms are bounds of cells, and
so are those of Envoy's own, of which ``weft.model.cuts`` makes cells. Cells are numbered in their order; 0 has one of
its own.
"""

import math

ZERO = -(2**31)
"""The cell of 0 and of what is less than a billionth."""
_LEAST = 1e-9
A_DECADE = 350
_GROUPS = ((100, 1), (200, 2), (500, 5))
_MANTISSAS = tuple(
    place for (first, width), last in zip(_GROUPS, (200, 500, 1000), strict=True) for place in range(first, last, width)
)
"""Where the cells of a decade begin, as numbers from 100 to 999."""
_PLACES = tuple(
    place for place, (low, high) in enumerate(zip(_MANTISSAS, (*_MANTISSAS[1:], 1000), strict=True))
    for _ in range(low, high)
)  # fmt: skip
"""The cell of each number from 100 to 999."""


def cell_of(value: float) -> int:
    """The cell of a value that is not negative: it begins at most there and ends beyond."""
    if value < _LEAST:
        return ZERO
    decade = math.floor(math.log10(value))
    mantissa = int(value * 10.0 ** (2 - decade) * (1 + 1e-12))
    if mantissa < 100:
        return decade * A_DECADE - 1
    if mantissa > 999:
        return (decade + 1) * A_DECADE
    return decade * A_DECADE + _PLACES[mantissa - 100]


def lower_of(cell: int) -> float:
    """The least value of a cell."""
    if cell == ZERO:
        return 0.0
    decade, place = divmod(cell, A_DECADE)
    return _decimal(_MANTISSAS[place], decade - 2)


def upper_of(cell: int) -> float:
    """The end of a cell, where the next one begins."""
    return 0.0 if cell == ZERO else lower_of(cell + 1)


def middle_of(cell: int) -> float:
    """The value that stands for a cell."""
    return (lower_of(cell) + upper_of(cell)) / 2


def _decimal(mantissa: int, power: int) -> float:
    """The float that is written so, as division and not multiplication by a tenth gives it."""
    return float(mantissa * 10**power) if power >= 0 else mantissa / 10**-power
