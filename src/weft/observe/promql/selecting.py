"""Selectors: what was the last sample at each step, and which samples are in the range before it."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

import promql_parser as ast

from weft.observe.promql.columns import Budget, Column, QueryError, Rows, Scalars, gather
from weft.observe.promql.parts import Parts
from weft.observe.promql.ranges import Function
from weft.observe.promql.series import NAME, Matcher, Operator, Series, Source

LOOK_BACK = 300_000
"""How long a sample stands for its series when no newer one follows, in milliseconds (Prometheus' default)."""

_OPERATORS = (
    (ast.MatchOp.Equal, Operator.EQUAL),
    (ast.MatchOp.NotEqual, Operator.NOT_EQUAL),
    (ast.MatchOp.Re, Operator.MATCHES),
    (ast.MatchOp.NotRe, Operator.NOT_MATCHES),
)

Moments = range | list[int]


def milliseconds(duration: timedelta | None) -> int:
    """A duration of the parser's, 0 for none."""
    return 0 if duration is None else round(duration.total_seconds() * 1000)


def matchers_of(selector: ast.VectorSelector) -> tuple[Matcher, ...]:
    """All conditions of a selector, its name among them."""
    if selector.matchers.or_matchers:
        raise QueryError('matchers that are joined by "or" are not PromQL', kind="bad_data")
    named = [Matcher(name=NAME, operator=Operator.EQUAL, value=selector.name)] if selector.name else []
    listed = [Matcher(name=one.name, operator=_operator(one.op), value=one.value) for one in selector.matchers.matchers]
    return (*named, *listed)


def moments_of(steps: range, offset: timedelta | None, at: ast.AtModifier | None) -> Moments:
    """When a selector with these modifiers looks, for each step."""
    back = milliseconds(offset)
    if at is None:
        return range(steps.start - back, steps.stop - back, steps.step)
    if at.type == ast.AtModifierType.At:
        if at.at is None:
            raise QueryError("the modifier @ needs a time", kind="bad_data")
        moment = round(at.at.timestamp() * 1000)
    else:
        moment = steps[0] if at.type == ast.AtModifierType.Start else steps[-1]
    return [moment - back] * len(steps)


def latest(selector: ast.VectorSelector, steps: range, source: Source, budget: Budget, *, times: bool = False) -> Rows:
    """The last sample of each series at each step, or its time in seconds."""
    moments = moments_of(steps, selector.offset, selector.at)
    found = source.select(matchers_of(selector), min(moments) - LOOK_BACK + 1, max(moments))
    last = Latest(moments)
    column = last.times if times else last.values
    return gather((one.labels, column(one)) for one in charged(found, budget, len(steps)))


def charged(found: Iterable[Series], budget: Budget, steps: int) -> Iterator[Series]:
    """The series, paid for."""
    for one in found:
        budget.spend(len(one.times) + steps)
        yield one


class Latest:
    """The last sample of series at each step; where it is, is found once for series with the same times."""

    def __init__(self, moments: Moments) -> None:
        self._moments = moments
        self._times: Sequence[int] | None = None
        self._places: list[int | None] = []

    def values(self, series: Series) -> Column:
        """The samples."""
        values = series.values
        return [None if place is None else values[place] for place in self._found(series.times)]

    def times(self, series: Series) -> Column:
        """When they were taken, in seconds."""
        times = series.times
        return [None if place is None else times[place] / 1000 for place in self._found(times)]

    def _found(self, times: Sequence[int]) -> list[int | None]:
        if times is not self._times:
            self._times, self._places = times, [_before(times, moment) for moment in self._moments]
        return self._places


def _before(times: Sequence[int], moment: int) -> int | None:
    place = bisect_right(times, moment) - 1
    return None if place < 0 or times[place] <= moment - LOOK_BACK else place


class Ranges:
    """A function of ranges, at each moment over the ``length`` milliseconds before it (open at the older end).

    Series with the same times share the work of finding ranges; those with the same values, too, share the result, for
    many buckets of a histogram have nothing between them.
    """

    def __init__(self, function: Function, moments: Moments, length: int, arguments: Scalars) -> None:
        self._function = function
        self._moments, self._length, self._arguments = moments, length, arguments
        self._times: Sequence[int] | None = None
        self._values: Sequence[float] | None = None
        self._parts = Parts((), (), length, ())
        self._column: Column = []

    def column(self, series: Series) -> Column:
        """The values of the function. It may be that of another series, too: it is not to be changed."""
        if series.times is not self._times:
            self._times, self._values = series.times, None
            self._parts = Parts(series.times, self._moments, self._length, self._arguments)
        if series.values is not self._values:
            self._values, self._column = series.values, self._function(series, self._parts)
        return self._column


def series_of(rows: Rows, moments: range) -> Iterator[Series]:
    """Evaluated rows as series again, for a subquery."""
    for labels, column in rows.items():
        kept = [(time, value) for time, value in zip(moments, column, strict=True) if value is not None]
        yield Series(labels, [time for time, _ in kept], [value for _, value in kept])


def _operator(asked: ast.MatchOp) -> Operator:
    return next(operator for known, operator in _OPERATORS if known == asked)
