"""One series while it is counted: what it is now, and what was not written yet.

The event loop counts and ends steps, a thread that files reads what ended and takes it away: each of these is one
operation of a list or a dict. What the series was before is packed, for there are many of them.
"""

from collections.abc import Iterable, Iterator

import msgspec

from weft.kit.value import Labels
from weft.observe.windows.amounts import COUNT, TOTAL, Amount, add
from weft.observe.windows.archive import Known, Written
from weft.observe.windows.histories import Live, amount_of
from weft.observe.windows.packing import LENGTHS, STEP, Stretch, beginning

_ENCODER = msgspec.msgpack.Encoder()


class Track:
    """``base`` is what the series was before ``pending``; ``open`` is what came since the last step ended.

    ``distribution``: values are observed, rather than counted. ``gone``: it is no longer kept.
    """

    __slots__ = ("_base", "born", "distribution", "gone", "id", "labels", "last", "open", "pending")

    def __init__(self, known: Known, base: Amount) -> None:
        self.id = known.id
        self.labels: Labels = known.labels
        self.born = known.born
        self.last = known.last
        self._base = _ENCODER.encode(base) if base else b""
        self.pending: list[tuple[int, Amount]] = []
        self.open: Amount = {}
        self.distribution = COUNT in base
        self.gone = False

    @property
    def base(self) -> Amount:
        """A copy."""
        return amount_of(self._base)

    def known(self) -> Known:
        """The row of the file."""
        return Known(self.id, self.labels, self.born, self.last)

    def live(self) -> Live:
        """What is in memory of it but the open step."""
        pending = tuple(self.pending)
        return Live(self.id, self.labels, self.distribution, self.born, self.last, self._base, pending)

    def counted(self, amount: float) -> None:
        """Count within the open step."""
        self.open[TOTAL] = self.open.get(TOTAL, 0.0) + amount

    def observed(self, cells: Iterable[tuple[int, float]], count: float, total: float) -> None:
        """Count values within the open step."""
        amount = self.open
        for cell, number in cells:
            amount[cell] = amount.get(cell, 0.0) + number
        amount[COUNT] = amount.get(COUNT, 0.0) + count
        amount[TOTAL] = amount.get(TOTAL, 0.0) + total
        self.distribution = True

    def close(self, end: int) -> None:
        """End the open step."""
        if self.born == 0:
            self.born = end - STEP
        self.pending.append((end, self.open))
        self.last, self.open = end, {}

    def amounts(self, start: int, end: int, *, opened: bool) -> Iterator[Amount]:
        """What was added after ``start``, up to ``end``, and is in no file; ``opened``: with the open step."""
        yield from (amount for moment, amount in list(self.pending) if start < moment <= end)
        if opened:
            yield dict(self.open)

    def unwritten(self, before: int) -> list[Written]:
        """What ended until ``before``, as stretches of a minute each."""
        base, rows = self.base, []
        minutes: dict[int, list[tuple[int, Amount]]] = {}
        for end, amount in list(self.pending):
            if end <= before:
                minutes.setdefault(beginning(end, LENGTHS[STEP]), []).append((end, amount))
        for start, steps in minutes.items():
            rows.append(Written(self.id, start, Stretch(base=dict(base), steps=tuple(steps))))
            for _, amount in steps:
                add(base, amount)
        return rows

    def written(self, before: int) -> None:
        """Forget what is in the file now."""
        base = self.base
        ended = [amount for end, amount in list(self.pending) if end <= before]
        for amount in ended:
            add(base, amount)
        self._base = _ENCODER.encode(base)
        del self.pending[: len(ended)]
