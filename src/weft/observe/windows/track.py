"""One series while it is counted: what it is now, and what was not written yet."""

from collections.abc import Iterator

from weft.kit.value import Labels
from weft.observe.windows.amounts import COUNT, Amount, add
from weft.observe.windows.archive import Known, Written
from weft.observe.windows.packing import LENGTHS, STEP, Stretch, beginning


class Track:
    """``base`` is what the series was before ``pending``; ``open`` is what came since the last step ended."""

    __slots__ = ("base", "born", "id", "labels", "last", "open", "pending")

    def __init__(self, known: Known, base: Amount) -> None:
        self.id = known.id
        self.labels: Labels = known.labels
        self.born = known.born
        self.last = known.last
        self.base = base
        self.pending: list[tuple[int, Amount]] = []
        self.open: Amount = {}

    @property
    def distribution(self) -> bool:
        """Whether values are observed, rather than counted."""
        return any(COUNT in amount for amount in (self.base, self.open, *(one for _, one in self.pending[:1])))

    def known(self) -> Known:
        """The row of the file."""
        return Known(self.id, self.labels, self.born, self.last)

    def add(self, amount: Amount) -> None:
        """Count within the open step."""
        add(self.open, amount)

    def close(self, end: int) -> None:
        """End the open step."""
        if self.born == 0:
            self.born = end - STEP
        self.pending.append((end, self.open))
        self.last, self.open = end, {}

    def unwritten_amounts(self, start: int, end: int, *, opened: bool) -> Iterator[Amount]:
        """What was added after ``start``, up to ``end``, and is in no file; ``opened``: with the open step."""
        yield from (amount for moment, amount in self.pending if start < moment <= end)
        if opened and self.open:
            yield self.open

    def unwritten(self, before: int) -> list[Written]:
        """What ended until ``before``, as stretches of a minute each."""
        base, rows = dict(self.base), []
        minutes: dict[int, list[tuple[int, Amount]]] = {}
        for end, amount in self.pending:
            if end <= before:
                minutes.setdefault(beginning(end, LENGTHS[STEP]), []).append((end, amount))
        for start, steps in minutes.items():
            rows.append(Written(self.id, start, Stretch(base=dict(base), steps=tuple(steps))))
            for _, amount in steps:
                add(base, amount)
        return rows

    def written(self, before: int) -> None:
        """Forget what is in the file now."""
        for end, amount in self.pending:
            if end <= before:
                add(self.base, amount)
        self.pending = [step for step in self.pending if step[0] > before]
