"""Distributions in wide cells, kept beside the exact ones for queries of many: those show few buckets in any case.

What a query has to read and add is then bounded by how wide its times are spread, and no longer by how many calls there
were. The wide cells end where Istio's bounds are, too, so that buckets at these remain exact.
"""

from bisect import bisect_left

from weft.kit.memo import memo
from weft.model.cells import ZERO, cell_of
from weft.observe.windows.amounts import COUNT, Amount
from weft.observe.windows.packing import Stretch

BOUNDS = (0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000)
"""The bounds of Istio's histograms."""
APART = 32
"""How many cells are one, where no bound is between them."""
_LAST = [cell_of(bound) - 1 for bound in BOUNDS]
"""The last cells below each of the bounds."""


def coarse_of(stretch: Stretch) -> Stretch | None:
    """The same in wide cells; ``None`` for what has no cells."""
    if not any(place < COUNT for _, amount in stretch.steps for place in amount):
        return None
    return Stretch(_folded(stretch.base), tuple((end, _folded(amount)) for end, amount in stretch.steps))


@memo(8192)
def wide(cell: int) -> int:
    """The last cell of the wide one that a cell is in."""
    if cell == ZERO or cell >= COUNT:
        return cell
    last, place = cell - cell % -APART, bisect_left(_LAST, cell)
    return last if place == len(_LAST) else min(last, _LAST[place])


def _folded(amount: Amount) -> Amount:
    found: Amount = {}
    for cell, count in amount.items():
        last = wide(cell)
        found[last] = found.get(last, 0.0) + count
    return found
