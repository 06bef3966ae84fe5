"""Long sequences in runs, so that what is made of them is remembered piece by piece.

A pure function of ten thousand values forgets everything when one of them changes. Cut into runs at places that the
values themselves decide, a sequence with one value changed, more or less differs in a run or two, and a memoised
function of a run is asked again for these alone. Where the cuts are makes no difference to any result.
"""

from collections.abc import Callable, Hashable, Iterable
from itertools import chain
from typing import Any, Generic, TypeVar

from weft.kit.memo import memo
from weft.kit.value import Value

_T = TypeVar("_T", bound=Hashable)
_MEAN = 64
"""Values of a run, on average: a change costs about as much as that many values and that many runs."""


class Run(Value, Generic[_T]):
    """Some values that stand beside each other; equal ones are one object for as long as they are remembered."""

    items: tuple[_T, ...]


@memo(8192)
def _run(items: tuple[_T, ...]) -> Run[_T]:
    return Run(items=items)


def runs_of(items: Iterable[_T]) -> tuple[Run[_T], ...]:
    """The values in runs, none of which is empty."""
    every = tuple(items)
    ends = [place for place, one in enumerate(map(hash, every), 1) if not one % _MEAN]
    if every and (not ends or ends[-1] != len(every)):
        ends.append(len(every))
    return tuple(_run(every[begin:end]) for begin, end in zip([0, *ends], ends, strict=False))


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
    return runs_of(every[place] for place in order)


class _Keys(Value):
    """What the values of a run are sorted by."""

    keys: tuple[Any, ...]


@memo(8192)
def _keys(run: Run[_T], key: Callable[[_T], Any]) -> _Keys:
    return _Keys(keys=tuple(key(one) for one in run.items))


@memo(32)
def _order(parts: tuple[_Keys, ...]) -> tuple[int, ...] | None:
    """The places of sorted values, ``None`` where they are sorted already."""
    keys = joined(part.keys for part in parts)
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return None if order == list(range(len(keys))) else tuple(order)
