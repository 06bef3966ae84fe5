"""Functions over a range of samples: rates, and what is counted or averaged over time.

Each is made once for a series, and asked for each step with the part of the samples that is in the range. Rates are
extrapolated to the borders of the range as Prometheus does it (promql/functions.go, ``extrapolatedRate``).
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from weft.observe.promql.series import Series


class Part(NamedTuple):
    """The samples ``first`` to ``last`` (not included) of a series, which lie in ``start`` to ``end`` milliseconds."""

    first: int
    last: int
    start: int
    end: int
    argument: float


Asked = Callable[[Part], float | None]
Made = Callable[[Series], Asked]


def rate(series: Series) -> Asked:
    """The increase of a counter per second."""
    increased = increase(series)

    def ask(part: Part) -> float | None:
        total = increased(part)
        return None if total is None else total / ((part.end - part.start) / 1000)

    return ask


def increase(series: Series) -> Asked:
    """By how much a counter grew; a value lower than the one before is a counter that began again at 0."""
    grown = _without_resets(series.values)

    def ask(part: Part) -> float | None:
        if part.last - part.first < 2:
            return None
        return _extrapolated(series, part, grown[part.last - 1] - grown[part.first], counter=True)

    return ask


def delta(series: Series) -> Asked:
    """By how much a gauge changed."""
    values = series.values

    def ask(part: Part) -> float | None:
        if part.last - part.first < 2:
            return None
        return _extrapolated(series, part, values[part.last - 1] - values[part.first], counter=False)

    return ask


def irate(series: Series) -> Asked:
    """The increase per second between the last two samples of a counter."""
    times, values = series.times, series.values

    def ask(part: Part) -> float | None:
        if part.last - part.first < 2:
            return None
        before, after = values[part.last - 2], values[part.last - 1]
        seconds = (times[part.last - 1] - times[part.last - 2]) / 1000
        return (after if after < before else after - before) / seconds

    return ask


def idelta(series: Series) -> Asked:
    """The change between the last two samples."""
    values = series.values

    def ask(part: Part) -> float | None:
        return values[part.last - 1] - values[part.last - 2] if part.last - part.first >= 2 else None

    return ask


def deriv(series: Series) -> Asked:
    """The slope per second of the line through the samples."""

    def ask(part: Part) -> float | None:
        line = _line(series, part, series.times[part.first]) if part.last - part.first >= 2 else None
        return None if line is None else line[0]

    return ask


def predict_linear(series: Series) -> Asked:
    """Where the line through the samples is so many seconds after the end of the range."""

    def ask(part: Part) -> float | None:
        line = _line(series, part, part.end) if part.last - part.first >= 2 else None
        return None if line is None else line[0] * part.argument + line[1]

    return ask


def over(reduced: Callable[[Sequence[float]], float]) -> Made:
    """A function of the values alone, of which there must be one."""

    def make(series: Series) -> Asked:
        values = series.values

        def ask(part: Part) -> float | None:
            return reduced(values[part.first : part.last]) if part.last > part.first else None

        return ask

    return make


def quantile_over_time(series: Series) -> Asked:
    """The quantile of the values."""

    def ask(part: Part) -> float | None:
        values = series.values[part.first : part.last]
        return quantile(part.argument, values) if values else None

    return ask


def quantile(wanted: float, values: Sequence[float]) -> float:
    """The quantile of some values, interpolated between the two nearest; outside of 0 to 1 it is infinite."""
    if math.isnan(wanted):
        return math.nan
    if wanted < 0 or wanted > 1:
        return math.copysign(math.inf, wanted)
    ordered = sorted(values, key=lambda value: (not math.isnan(value), value))
    rank = wanted * (len(ordered) - 1)
    lower = max(0, math.floor(rank))
    upper = min(len(ordered) - 1, lower + 1)
    weight = rank - math.floor(rank)
    return ordered[lower] * (1 - weight) + ordered[upper] * weight


def mean(values: Sequence[float]) -> float:
    """The average."""
    return total(values) / len(values)


def variance(values: Sequence[float]) -> float:
    """The variance of a whole population."""
    middle = mean(values)
    return total([(value - middle) ** 2 for value in values]) / len(values)


def total(values: Sequence[float]) -> float:
    """The sum, exact to the last digit; infinities of both signs make NaN."""
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):
        return sum(values)


def least(values: Sequence[float]) -> float:
    """The smallest, NaN only where there is nothing else."""
    return min((value for value in values if not math.isnan(value)), default=math.nan)


def most(values: Sequence[float]) -> float:
    """The largest, NaN only where there is nothing else."""
    return max((value for value in values if not math.isnan(value)), default=math.nan)


def _changes(values: Sequence[float]) -> float:
    return float(sum(a != b and not (math.isnan(a) and math.isnan(b)) for a, b in pairwise(values)))


def _resets(values: Sequence[float]) -> float:
    return float(sum(b < a for a, b in pairwise(values)))


FUNCTIONS: dict[str, Made] = {
    "rate": rate,
    "increase": increase,
    "delta": delta,
    "irate": irate,
    "idelta": idelta,
    "deriv": deriv,
    "predict_linear": predict_linear,
    "quantile_over_time": quantile_over_time,
    "avg_over_time": over(mean),
    "sum_over_time": over(total),
    "min_over_time": over(least),
    "max_over_time": over(most),
    "count_over_time": over(lambda values: float(len(values))),
    "last_over_time": over(lambda values: values[-1]),
    "present_over_time": over(lambda _: 1.0),
    "stdvar_over_time": over(variance),
    "stddev_over_time": over(lambda values: math.sqrt(variance(values))),
    "changes": over(_changes),
    "resets": over(_resets),
}


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


def _extrapolated(series: Series, part: Part, change: float, *, counter: bool) -> float:
    first, last = series.times[part.first], series.times[part.last - 1]
    sampled = (last - first) / 1000
    gap = sampled / (part.last - part.first - 1)
    before, after = (first - part.start) / 1000, (part.end - last) / 1000
    if before >= gap * 1.1:
        before = gap / 2
    if after >= gap * 1.1:
        after = gap / 2
    value = series.values[part.first]
    if counter and change > 0 and value >= 0:
        before = min(before, sampled * value / change)
    return change * (sampled + before + after) / sampled


def _line(series: Series, part: Part, origin: int) -> tuple[float, float]:
    """Slope per second, and the value at ``origin``, by least squares."""
    xs = [(time - origin) / 1000 for time in series.times[part.first : part.last]]
    ys = series.values[part.first : part.last]
    x, y = mean(xs), mean(ys)
    spread = total([(one - x) ** 2 for one in xs])
    slope = total([(one - x) * (two - y) for one, two in zip(xs, ys, strict=True)]) / spread
    return slope, y - slope * x
