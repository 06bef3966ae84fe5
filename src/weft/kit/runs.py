"""Long sequences in runs, so that what is made of them is remembered piece by piece.

A pure function of ten thousand values forgets everything when one of them changes. Cut into runs at places that the
values themselves decide, a sequence with one value changed, more or less differs in a run or two, and a memoised
function of a run is asked again for these alone. Where the cuts are makes no difference to any result.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Generic, TypeVar

from weft.kit.memo import memo
from weft.kit.value import Value

_S = TypeVar("_S")
_T = TypeVar("_T", bound=Hashable)
RUNS = 2048
"""How many results a memoised function of runs remembers: enough for a hundred thousand documents."""
_MEAN = 64
"""Values of a run, on average: a change costs about as much as that many values and that many runs."""


class Run(Value, Generic[_T]):
    """Some values that stand beside each other; equal ones are one object for as long as they are remembered."""

    items: tuple[_T, ...]


@memo(RUNS)
def _run(items: tuple[_T, ...]) -> Run[_T]:
    return Run(items=items)


def runs_of(items: Iterable[_T]) -> tuple[Run[_T], ...]:
    """The values in runs, none of which is empty."""
    every = tuple(items)
    return tuple(_run(part) for part in _cut(every, map(hash, every)))


def _cut(items: Sequence[_S], hashes: Iterable[int]) -> Iterator[tuple[_S, ...]]:
    ends = [place for place, one in enumerate(hashes, 1) if not one % _MEAN]
    if items and (not ends or ends[-1] != len(items)):
        ends.append(len(items))
    return (tuple(items[begin:end]) for begin, end in zip([0, *ends], ends, strict=False))


def joined(parts: Iterable[Iterable[_T]]) -> tuple[_T, ...]:
    """What functions of several runs gave, one after the other."""
    return tuple(chain.from_iterable(parts))


def flat(runs: Iterable[Run[_T]]) -> tuple[_T, ...]:
    """The values of runs."""
    return joined(run.items for run in runs)


def in_order(runs: tuple[Run[_T], ...], key: Callable[[_T], Any]) -> tuple[Run[_T], ...]:
    """The values sorted by a key, equals as they stood; sorting is remembered as long as no key changes.

    ``key`` is a function of a module: one made anew for each call would remember nothing.
    """
    order = _order(tuple(_keys(run, key) for run in runs))
    if order is None:
        return runs
    every = flat(runs)
    return tuple(_run(tuple(every[place] for place in places)) for places in order)


def ordered(runs: tuple[Run[_T], ...], key: Callable[[_T], Any]) -> tuple[_T, ...]:
    """The same, not in runs."""
    order = _order(tuple(_keys(run, key) for run in runs))
    every = flat(runs)
    return every if order is None else tuple(every[place] for places in order for place in places)


class _Keys(Value):
    """What the values of a run are sorted by."""

    keys: tuple[Any, ...]


@memo(RUNS)
def _keys(run: Run[_T], key: Callable[[_T], Any]) -> _Keys:
    return _Keys(keys=tuple(key(one) for one in run.items))


@memo(32)
def _order(parts: tuple[_Keys, ...]) -> tuple[tuple[int, ...], ...] | None:
    """The places of sorted values, in runs that their keys decide; ``None`` where they are sorted already."""
    keys = joined(part.keys for part in parts)
    order = sorted(range(len(keys)), key=keys.__getitem__)
    if order == list(range(len(keys))):
        return None
    return tuple(_cut(order, [hash(keys[place]) for place in order]))
