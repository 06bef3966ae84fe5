"""What is counted, in one shape: a counter has a total, a distribution a count, a total and buckets besides.

Amounts are added, packed and rolled up without knowing which of the two they are.
"""

from collections.abc import Iterable, Mapping

from weft.observe.windows.sketch import Sketch

Amount = dict[int, float]
"""Numbers by place: buckets of a sketch, and the two places below."""
TOTAL = 2**31 - 1
"""The sum of what was observed; of a counter, its value."""
COUNT = 2**31 - 2
"""How many values were observed."""


def sketch_of(amount: Mapping[int, float]) -> Sketch:
    """The buckets alone."""
    return Sketch({place: number for place, number in amount.items() if place < COUNT})


def add(into: Amount, more: Mapping[int, float]) -> None:
    """Add one amount to another."""
    for place, number in more.items():
        into[place] = into.get(place, 0.0) + number


def added(amounts: Iterable[Mapping[int, float]]) -> Amount:
    """The sum of amounts, as a new one."""
    total: Amount = {}
    for amount in amounts:
        add(total, amount)
    return total
