"""How fast counters and gauges change over ranges, of a whole series at once, for dashboards ask for little else.

Rates are extrapolated to the borders of the range as Prometheus does it (promql/functions.go, ``extrapolatedRate``).
"""

import math
from collections.abc import Sequence
from itertools import islice
from operator import le

from weft.observe.promql.columns import Column
from weft.observe.promql.parts import Parts
from weft.observe.promql.series import Series


def rate(series: Series, parts: Parts) -> Column:
    """The increase of a counter per second."""
    seconds = parts.length / 1000
    return [None if grown is None else grown / seconds for grown in increase(series, parts)]


def increase(series: Series, parts: Parts) -> Column:
    """By how much a counter grew; a value lower than the one before is a counter that began again at 0.

    Backwards it is not stretched beyond the moment at which the counter was 0.
    """
    values, column = series.values, Column()
    grown = values if _rises(values) else _without_resets(values)
    for span in parts.spans:
        if span is None:
            column.append(None)
            continue
        first, last, before, sampled, after, reach = span
        change = grown[last] - grown[first]
        if change > 0 and (value := values[first]) >= 0 and (since := sampled * value / change) < before:
            reach = sampled + since + after
        column.append(change * reach / sampled)
    return column


def delta(series: Series, parts: Parts) -> Column:
    """By how much a gauge changed."""
    values = series.values
    return [
        None if span is None else (values[span.last] - values[span.first]) * span.reach / span.sampled
        for span in parts.spans
    ]


def irate(series: Series, parts: Parts) -> Column:
    """The increase per second between the last two samples of a counter."""
    times, values, column = series.times, series.values, Column()
    for part in parts.all:
        if part is None or part[1] - part[0] < 2:
            column.append(None)
            continue
        last = part[1] - 1
        before, after = values[last - 1], values[last]
        seconds = (times[last] - times[last - 1]) / 1000
        column.append((after if after < before else after - before) / seconds)
    return column


def idelta(series: Series, parts: Parts) -> Column:
    """The change between the last two samples."""
    values = series.values
    return [
        None if part is None or part.last - part.first < 2 else values[part.last - 1] - values[part.last - 2]
        for part in parts.all
    ]


def _rises(values: Sequence[float]) -> bool:
    """Whether no value is lower than the one before, and none is NaN."""
    return all(map(le, values, islice(values, 1, None)))


def _without_resets(values: Sequence[float]) -> list[float]:
    """The values with what was lost at each reset put back."""
    grown: list[float] = []
    lost, before = 0.0, -math.inf
    for value in values:
        if value < before:
            lost += before
        grown.append(value + lost)
        before = value
    return grown
