"""Selectors: what was the last sample at each step, and which samples are in the range before it."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import timedelta

import promql_parser as ast

from weft.observe.promql.columns import Budget, Column, QueryError, Rows, Scalars, gather
from weft.observe.promql.ranges import Made, Part
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
    return gather((one.labels, _latest(one, moments, times=times)) for one in charged(found, budget, len(steps)))


def charged(found: Iterable[Series], budget: Budget, steps: int) -> Iterator[Series]:
    """The series, paid for."""
    for one in found:
        budget.spend(len(one.times) + steps)
        yield one


def _latest(series: Series, moments: Moments, *, times: bool) -> Column:
    stamps, values = series.times, series.values
    column: Column = []
    for moment in moments:
        place = bisect_right(stamps, moment) - 1
        if place < 0 or stamps[place] <= moment - LOOK_BACK:
            column.append(None)
        else:
            column.append(stamps[place] / 1000 if times else values[place])
    return column


def over_ranges(series: Series, moments: Moments, length: int, made: Made, arguments: Scalars) -> Column:
    """A function of ranges, at each moment over the ``length`` milliseconds before it (open at the older end)."""
    asked, stamps = made(series), series.times
    column: Column = []
    for moment, argument in zip(moments, arguments, strict=True):
        first, last = bisect_right(stamps, moment - length), bisect_right(stamps, moment)
        column.append(asked(Part(first, last, moment - length, moment, argument)) if last > first else None)
    return column


def series_of(rows: Rows, moments: range) -> Iterator[Series]:
    """Evaluated rows as series again, for a subquery."""
    for labels, column in rows.items():
        kept = [(time, value) for time, value in zip(moments, column, strict=True) if value is not None]
        yield Series(labels, [time for time, _ in kept], [value for _, value in kept])


def _operator(asked: ast.MatchOp) -> Operator:
    return next(operator for known, operator in _OPERATORS if known == asked)
