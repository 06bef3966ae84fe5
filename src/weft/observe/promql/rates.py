"""How fast counters and gauges change over ranges, of a whole series at once, for dashboards ask for little else.

Rates are extrapolated to the borders of the range as Prometheus does it (promql/functions.go, ``extrapolatedRate``).
"""

import math
from collections.abc import Iterator, Sequence
from itertools import islice, repeat
from operator import le, mul, sub, truediv

from weft.observe.promql.columns import Column
from weft.observe.promql.parts import Parts, Spans, picked, spread
from weft.observe.promql.series import Series


def rate(series: Series, parts: Parts) -> Column:
    """The increase of a counter per second."""
    seconds = repeat(parts.length / 1000)
    return spread(parts.spans.there, map(truediv, _increases(series, parts.spans), seconds))


def increase(series: Series, parts: Parts) -> Column:
    """By how much a counter grew; a value lower than the one before is a counter that began again at 0.

    Backwards it is not stretched beyond the moment at which the counter was 0.
    """
    return spread(parts.spans.there, _increases(series, parts.spans))


def delta(series: Series, parts: Parts) -> Column:
    """By how much a gauge changed."""
    spans, values = parts.spans, series.values
    changes = map(sub, picked(values, spans.last), picked(values, spans.first))
    return spread(spans.there, map(mul, changes, spans.factor))


def irate(series: Series, parts: Parts) -> Column:
    """The increase per second between the last two samples of a counter."""
    pairs, values = parts.pairs, series.values
    before, after = picked(values, pairs.before), picked(values, pairs.last)
    grown = map(sub if _rises(values) else _grown, after, before)
    return spread(pairs.there, map(truediv, grown, pairs.seconds))


def idelta(series: Series, parts: Parts) -> Column:
    """The change between the last two samples."""
    pairs, values = parts.pairs, series.values
    return spread(pairs.there, map(sub, picked(values, pairs.last), picked(values, pairs.before)))


def _increases(series: Series, spans: Spans) -> list[float]:
    """For each of the spans."""
    values = series.values
    grown = values if _rises(values) else _without_resets(values)
    changes = list(map(sub, picked(grown, spans.last), picked(grown, spans.first)))
    firsts = picked(values, spans.first)
    if _long_ago(firsts, changes, spans):
        return list(map(mul, changes, spans.factor))
    return list(_since_zero(firsts, changes, spans))


def _long_ago(firsts: Sequence[float], changes: Sequence[float], spans: Spans) -> bool:
    """Whether at these speeds no counter was 0 within what a rate is stretched by, as is usual; no where it is not
    quite sure."""
    if not changes:
        return True
    return min(firsts) * min(spans.sampled) >= max(spans.before) * max(changes)


def _since_zero(firsts: Sequence[float], changes: Sequence[float], spans: Spans) -> Iterator[float]:
    rows = zip(firsts, changes, spans.before, spans.sampled, spans.after, spans.factor, strict=True)
    for value, change, before, sampled, after, factor in rows:
        if change > 0 and value >= 0 and (since := sampled * value / change) < before:
            yield change * (sampled + since + after) / sampled
        else:
            yield change * factor


def _grown(after: float, before: float) -> float:
    return after if after < before else after - before


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
