"""What expressions evaluate to: one value for each step, for each set of labels."""

from collections.abc import Callable, Iterable

from weft.kit.errors import UserError
from weft.kit.value import Labels, Value
from weft.observe.promql.series import NAME

Column = list[float | None]
"""A value for each step; ``None`` where there is no sample, which is not the same as NaN."""
Rows = dict[Labels, Column]
"""An instant vector at each step."""
Scalars = list[float]
"""A scalar at each step."""


class QueryError(UserError):
    """A query that cannot be answered. ``kind`` is Prometheus' ``errorType``."""

    def __init__(self, message: str, *, kind: str = "execution", help: str | None = None) -> None:  # noqa: A002
        super().__init__(message, help=help)
        self.kind = kind


class Steps(Value):
    """When a query is evaluated, in milliseconds: at ``start``, then every ``step``, until ``end`` at most."""

    start: int
    end: int
    step: int

    def times(self) -> range:
        """All moments; a single one where start and end are the same."""
        return range(self.start, self.end + 1, self.step)


class Budget:
    """How much one query may touch (samples read and values made), and until when ``expired`` says that it is late."""

    def __init__(self, limit: int, expired: Callable[[], bool] = lambda: False) -> None:
        self._left = limit
        self._limit = limit
        self._expired = expired

    def spend(self, amount: int) -> None:
        """Raises ``QueryError`` when the query has used up what it may."""
        self._left -= amount
        if self._left < 0:
            raise QueryError(
                f"the query touches more than {self._limit} samples",
                help="choose fewer series, a shorter time or longer steps",
            )
        if self._expired():
            raise QueryError("query timed out in expression evaluation", kind="timeout")


def gather(pairs: Iterable[tuple[Labels, Column]]) -> Rows:
    """Rows by labels. Raises ``QueryError`` where two have the same labels at the same step."""
    rows: Rows = {}
    for labels, column in pairs:
        before = rows.get(labels)
        rows[labels] = column if before is None else _joined(before, column)
    return rows


def unnamed(labels: Labels) -> Labels:
    """The labels without the metric's name."""
    return tuple(pair for pair in labels if pair[0] != NAME)


def without(labels: Labels, names: frozenset[str]) -> Labels:
    """The labels but those."""
    return tuple(pair for pair in labels if pair[0] not in names)


def only(labels: Labels, names: frozenset[str]) -> Labels:
    """Those of the labels."""
    return tuple(pair for pair in labels if pair[0] in names)


def with_labels(labels: Labels, changed: dict[str, str]) -> Labels:
    """The labels with some set; an empty value removes one."""
    merged = dict(labels) | changed
    return tuple(sorted((name, value) for name, value in merged.items() if value))


def _joined(left: Column, right: Column) -> Column:
    if any(a is not None and b is not None for a, b in zip(left, right, strict=True)):
        raise QueryError("vector cannot contain metrics with the same labelset")
    return [b if a is None else a for a, b in zip(left, right, strict=True)]
