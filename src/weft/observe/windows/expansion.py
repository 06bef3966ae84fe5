"""A series as Prometheus would have scraped it: what was added over time, as running totals at every step.

There is a sample of 0 before the first amount, so that an increase misses nothing. A series in which nothing happens
goes on for an hour. A distribution has a bucket for each of Istio's bounds and for each bucket of a sketch in which
something is, the same for all series of a query, so that sums over series are right; a query of many series gets fewer
of them.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from operator import add
from typing import NamedTuple

from weft.kit.value import Labels, value_at
from weft.model.cells import ZERO, lower_of, upper_of
from weft.observe.promql.columns import unnamed, with_labels
from weft.observe.promql.digits import text_of
from weft.observe.promql.series import NAME, Matcher, Series, accepted
from weft.observe.windows.amounts import COUNT, TOTAL, Amount
from weft.observe.windows.coarse import APART, BOUNDS

BUCKET, SUM, SAMPLES = "_bucket", "_sum", "_count"
_BOUND = "le"
_SERIES, _OF_FEW, _FEW = 1_000, 3_000, 8
"""How many buckets the distributions of one query have together, besides Istio's bounds; and where they are few."""
_WIDE = 50
"""Of more distributions than these what is kept in wide cells will do, if these are no wider than buckets will be."""


class History(NamedTuple):
    """One series over a time: what it was before the first event, and what each added.

    ``events`` are ``(moment, amount)``, ``moments`` those at which there are samples; both ascend, in milliseconds.
    """

    labels: Labels
    distribution: bool
    base: Amount
    events: tuple[tuple[int, Amount], ...]
    moments: tuple[int, ...]


def names_of(name: str, *, distribution: bool) -> tuple[str, ...]:
    """Under which names a query finds a series."""
    return (f"{name}{BUCKET}", f"{name}{SUM}", f"{name}{SAMPLES}") if distribution else (name,)


def labels_of(labels: Labels, *, distribution: bool) -> Iterator[Labels]:
    """The labels of the series that one is expanded to, with Istio's bounds alone."""
    for name in names_of(value_at(labels, NAME) or "", distribution=distribution):
        named = with_labels(unnamed(labels), {NAME: name})
        if distribution and name.endswith(BUCKET):
            yield from (with_labels(named, {_BOUND: text}) for text in (*map(_text, BOUNDS), "+Inf"))
        else:
            yield named


class Wanted:
    """What a query asks for, before series are expanded: conditions on names, and those on the rest but bounds."""

    def __init__(self, matchers: Iterable[Matcher]) -> None:
        asked = tuple(matchers)
        self._names = tuple(one for one in asked if one.name == NAME)
        self._rest = tuple(one for one in asked if one.name not in {NAME, _BOUND})

    def __call__(self, labels: Labels, *, distribution: bool) -> bool:
        """Whether the query may accept one of the series that this one is expanded to."""
        named = names_of(value_at(labels, NAME) or "", distribution=distribution)
        if not any(all(one.accepts(name) for one in self._names) for name in named):
            return False
        return accepted(self._rest, labels)


def wide_enough(distributions: int, cells: set[int]) -> bool:
    """Whether a query of so many distributions, with observations in these cells, can be answered from wide ones."""
    return distributions > _WIDE and _apart(distributions, cells, 1)[0] >= APART


def expanded(histories: Sequence[History], matchers: tuple[Matcher, ...], *, wide: bool = False) -> Iterator[Series]:
    """The series of a query, as running totals. ``wide``: histories may be in wide cells.

    Buckets with nothing between them have the very same values, series with samples at the same times the very same
    times: what is found of one is found of the others.
    """
    rest = tuple(one for one in matchers if one.name != _BOUND)
    bounds = _Bounds(histories, tuple(one for one in matchers if one.name == _BOUND), APART if wide else 1)
    shared: dict[tuple[int, ...], tuple[int, ...]] = {}
    for one in histories:
        if not one.moments:
            continue
        history = one._replace(moments=shared.setdefault(one.moments, one.moments))
        places = _places(history)
        for name in names_of(value_at(history.labels, NAME) or "", distribution=history.distribution):
            labels = with_labels(unnamed(history.labels), {NAME: name})
            if not accepted(rest, labels):
                continue
            if history.distribution and name.endswith(BUCKET):
                yield from _buckets(history, labels, bounds, places)
            elif bounds.without:
                place = COUNT if history.distribution and name.endswith(SAMPLES) else TOTAL
                yield _series(labels, history, _totals(history, place), places)


def _amounts(history: History) -> list[Amount]:
    return [history.base, *(amount for _, amount in history.events)]


def _totals(history: History, place: int) -> list[float]:
    """Before all events and after each."""
    return list(accumulate([amount.get(place, 0.0) for amount in _amounts(history)]))


def _series(labels: Labels, history: History, totals: Sequence[float], places: Sequence[int]) -> Series:
    return Series(labels, history.moments, _at(totals, places))


def _places(history: History) -> Sequence[int]:
    """How many events are over at each moment; a range where each has one of its own, as is usual."""
    ends = [moment for moment, _ in history.events]
    found = [bisect_right(ends, moment) for moment in history.moments]
    straight = range(found[0], found[0] + len(found))
    return straight if found == list(straight) else found


def _at(totals: Sequence[float], places: Sequence[int]) -> Sequence[float]:
    if isinstance(places, range):
        return totals[places.start : places.stop]
    return [totals[place] for place in places]


class _Bounds:
    """The bounds of a query's buckets that it asks for: ``chosen`` are places among all, and how they are written.

    ``everything``: it asks for the bucket of all values; ``without``: for series that have no bounds.
    """

    def __init__(self, histories: Sequence[History], matchers: tuple[Matcher, ...], apart: int) -> None:
        self.bounds = _bounds(histories, apart)
        texts = enumerate(map(_text, self.bounds))
        self.chosen = {place: text for place, text in texts if all(one.accepts(text) for one in matchers)}
        self.everything = all(one.accepts("+Inf") for one in matchers)
        self.without = all(one.accepts("") for one in matchers)


def _bounds(histories: Sequence[History], apart: int) -> list[float]:
    """Istio's bounds, and those of buckets that hold something: each one, or each n-th where there are many series."""
    distributions = [history for history in histories if history.distribution]
    found: set[int] = set()
    for one in distributions:
        found.update(*_amounts(one))
    apart, kept = _apart(len(distributions), found - {COUNT, TOTAL}, apart)
    return sorted({*BOUNDS, *(upper_of(bucket - below) for bucket in kept - {ZERO} for below in (0, apart))})


def _apart(distributions: int, cells: set[int], apart: int) -> tuple[int, set[int]]:
    """How many cells a bucket has, at least ``apart``, and the last cell of each bucket that holds something."""
    most = (_OF_FEW if distributions <= _FEW else _SERIES) // max(1, distributions)
    kept = {cell - cell % -apart for cell in cells}
    while len(kept) > max(most, len(BOUNDS)):
        apart *= 2
        kept = {cell - cell % -apart for cell in cells}
    return apart, kept


def _buckets(history: History, labels: Labels, bounds: _Bounds, places: Sequence[int]) -> Iterator[Series]:
    where = bisect_left(labels, (_BOUND, ""))
    before, after = labels[:where], labels[where:]

    def named(text: str) -> Labels:
        return (*before, (_BOUND, text), *after)

    totals: list[float] | None = None
    for place, found in enumerate(_cumulated(history, bounds.bounds) if bounds.chosen else ()):
        if place not in bounds.chosen:
            continue
        if found is not totals:
            totals, values = found, _at(found, places)
        yield Series(named(bounds.chosen[place]), history.moments, values)
    if bounds.everything:
        yield _series(named("+Inf"), history, _totals(history, COUNT), places)


def _cumulated(history: History, bounds: list[float]) -> Iterator[list[float]]:
    """For each bound, before all events and after each: how many values were at most that by then.

    It is the list of the bound before where nothing lies between.
    """
    found = _added(history, bounds)
    totals = [0.0] * (1 + len(history.events))
    for place in range(len(bounds)):
        if place in found:
            totals = list(map(add, totals, accumulate(found[place])))
        yield totals


def _added(history: History, bounds: list[float]) -> dict[int, list[float]]:
    """By the first bound at which they count: how many values there were before all events, and in each.

    This is where a query spends its time.
    """
    found: dict[int, list[float]] = {}
    columns: dict[int, list[float]] = {}
    for number, amount in enumerate(_amounts(history)):
        for cell, count in amount.items():
            try:
                columns[cell][number] += count
            except KeyError:
                place = len(bounds) if cell >= COUNT else bisect_left(bounds, _lowest(cell))
                columns[cell] = found.setdefault(place, [0.0] * (1 + len(history.events)))
                columns[cell][number] += count
    return found


def _lowest(bucket: int) -> float:
    """From which bound on all of a cell counts: beyond the one at which it begins."""
    return 0.0 if bucket == ZERO else lower_of(bucket) * (1 + 1e-9)


def _text(bound: float) -> str:
    return text_of(float(f"{bound:.6g}"))


def moments_between(start: int, end: int, born: int, steps: Sequence[tuple[int, int, int]]) -> tuple[int, ...]:
    """The ends of steps from ``start`` to ``end``, the first of which has nothing of a series that is ``born``.

    ``steps`` are ``(from, to, length)``, each without its beginning.
    """
    moments: list[int] = []
    for since, until, length in steps:
        first = max(start, since + 1, born // length * length)
        first += -first % length
        moments.extend(range(first, min(end, until) + 1, length))
    return tuple(moments)


def within(events: Sequence[tuple[int, Amount]], start: int, end: int) -> Sequence[tuple[int, Amount]]:
    """The events after ``start``, up to ``end``."""
    moments = [moment for moment, _ in events]
    return events[bisect_left(moments, start + 1) : bisect_left(moments, end + 1)]
