"""Functions over a range of samples: what is counted or averaged over time, and ``rates``."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from weft.observe.promql import rates
from weft.observe.promql.columns import Column
from weft.observe.promql.parts import Part, Parts
from weft.observe.promql.series import Series

Asked = Callable[[Part], float | None]
Made = Callable[[Series], Asked]
Function = Callable[[Series, Parts], Column]
"""The values of a function of ranges at each step."""


def each(made: Made) -> Function:
    """A function that is made once for a series, and asked for each step that has a sample."""

    def function(series: Series, parts: Parts) -> Column:
        asked = made(series)
        return [None if part is None else asked(part) for part in parts.all]

    return function


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


def over(reduced: Callable[[Sequence[float]], float]) -> Function:
    """A function of the values alone."""

    def function(series: Series, parts: Parts) -> Column:
        values = series.values
        return [None if part is None else reduced(values[part.first : part.last]) for part in parts.all]

    return function


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


FUNCTIONS: dict[str, Function] = {
    "rate": rates.rate,
    "increase": rates.increase,
    "delta": rates.delta,
    "irate": rates.irate,
    "idelta": rates.idelta,
    "deriv": each(deriv),
    "predict_linear": each(predict_linear),
    "quantile_over_time": each(quantile_over_time),
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


def _line(series: Series, part: Part, origin: int) -> tuple[float, float]:
    """Slope per second, and the value at ``origin``, by least squares."""
    xs = [(time - origin) / 1000 for time in series.times[part.first : part.last]]
    ys = series.values[part.first : part.last]
    x, y = mean(xs), mean(ys)
    spread = total([(one - x) ** 2 for one in xs])
    slope = total([(one - x) * (two - y) for one, two in zip(xs, ys, strict=True)]) / spread
    return slope, y - slope * x
