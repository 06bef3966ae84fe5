"""``histogram_quantile``: a quantile from the cumulative buckets of a classic histogram (promql/quantile.go)."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from operator import le
from typing import cast

from weft.kit.value import Labels
from weft.observe.promql.columns import Column, Rows, Scalars, gather, without
from weft.observe.promql.series import NAME

_BUCKET = frozenset({NAME, "le"})
Bucket = tuple[float, float]
"""An upper bound, and how many observations are at most that."""


def histogram_quantile(wanted: Scalars, rows: Rows) -> Rows:
    """The quantile of each histogram among the rows, at each step."""
    histograms: dict[Labels, list[tuple[float, Column]]] = {}
    for labels, column in rows.items():
        bound = _bound(dict(labels).get("le"))
        if bound is not None:
            histograms.setdefault(without(labels, _BUCKET), []).append((bound, column))
    return gather((labels, _column(wanted, buckets)) for labels, buckets in histograms.items())


def bucket_quantile(wanted: float, buckets: list[Bucket]) -> float:
    """The quantile, interpolated within its bucket as if observations were spread evenly.

    ``buckets`` are sorted by their bounds. NaN without a bucket of infinity or without observations; infinite for a
    quantile outside of 0 to 1; the last finite bound for one that lies beyond it.
    """
    if math.isnan(wanted):
        return math.nan
    if wanted < 0 or wanted > 1:
        return math.copysign(math.inf, wanted)
    buckets = _rising(buckets)
    if len(buckets) < 2 or buckets[-1][0] != math.inf or buckets[-1][1] == 0:
        return math.nan
    bounds, counts = zip(*buckets, strict=True)
    return _interpolated(wanted * counts[-1], bounds, counts)


def _interpolated(rank: float, bounds: Sequence[float], counts: Sequence[float]) -> float:
    """The value of a rank, among counts that rise; the last bound is infinite."""
    last = len(counts) - 1
    place = last if math.isnan(rank) else bisect_left(counts, rank, 0, last)
    if place == last:
        return bounds[-2]
    bound, count = bounds[place], counts[place]
    if place == 0:
        return bound if bound <= 0 else bound * rank / count if count else math.nan
    below, counted = bounds[place - 1], counts[place - 1]
    if count == counted:
        return math.nan
    return below + (bound - below) * (rank - counted) / (count - counted)


def _rising(buckets: list[Bucket]) -> list[Bucket]:
    """Equal bounds as one, and counts that never fall (they may by a hair, after rates)."""
    risen: list[Bucket] = []
    for bound, count in buckets:
        if risen and risen[-1][0] == bound:
            risen[-1] = (bound, risen[-1][1] + count)
        else:
            risen.append((bound, count))
    highest = -math.inf
    for place, (bound, count) in enumerate(risen):
        highest = max(highest, count)
        risen[place] = (bound, highest)
    return risen


def _column(wanted: Scalars, buckets: list[tuple[float, Column]]) -> Column:
    buckets.sort(key=lambda pair: pair[0])
    bounds = [bound for bound, _ in buckets]
    steps = zip(wanted, zip(*(column for _, column in buckets), strict=True), strict=True)
    if len(set(bounds)) == len(bounds) > 1 and bounds[-1] == math.inf:
        return [_quick(quantile, bounds, counts) for quantile, counts in steps]
    return [_one(quantile, bounds, counts) for quantile, counts in steps]


def _quick(wanted: float, bounds: list[float], counts: tuple[float | None, ...]) -> float | None:
    """As ``_one``; where every bucket of a histogram is there and counts rise, as they mostly do, without looking at
    each of them."""
    if None in counts or not 0 <= wanted <= 1:
        return _one(wanted, bounds, counts)
    known = cast("tuple[float, ...]", counts)
    if not 0 < known[-1] < math.inf or not all(map(le, known, known[1:])):
        return _one(wanted, bounds, counts)
    return _interpolated(wanted * known[-1], bounds, known)


def _one(wanted: float, bounds: list[float], counts: tuple[float | None, ...]) -> float | None:
    present = [(bound, count) for bound, count in zip(bounds, counts, strict=True) if count is not None]
    return bucket_quantile(wanted, present) if present else None


def _bound(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
