"""Memoisation by value, for pure functions of values.

The result depends on the arguments alone, so a cached one can never be wrong, only forgotten: the caches are bounded
and drop what was not used for longest.
"""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")


def memo(capacity: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Remember the last ``capacity`` results of a pure function whose arguments are values."""

    def wrap(function: Callable[P, R]) -> Callable[P, R]:
        return cast(Callable[P, R], lru_cache(maxsize=capacity)(function))

    return wrap


def memo_within(limit: int, weigh: Callable[[Any], int]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Remember results of a pure function that weigh no more than ``limit`` together, and at least the last one.

    For results of very different sizes, such as bytes of routes: as many small ones as are wanted, few large ones.
    Calls with keyword arguments are not remembered.
    """

    def wrap(function: Callable[P, R]) -> Callable[P, R]:
        kept = _Kept(limit)
        made = cast(Callable[..., R], function)

        @wraps(function)
        def remembered(*arguments: P.args, **more: P.kwargs) -> R:
            if more:
                return made(*arguments, **more)
            found = kept.found(arguments)
            if found is None:
                result = made(*arguments)
                found = (result, weigh(result))
            kept.keep(arguments, found)
            return cast(R, found[0])

        remembered.cache_info = kept.cache_info  # type: ignore[attr-defined]
        return remembered

    return wrap


_Entry = tuple[Any, int]


class Held(NamedTuple):
    """How much is remembered, in the words of ``functools``."""

    currsize: int
    weight: int


class _Kept:
    """Results by arguments, those used last at the end. Threads may share it: each step is one of the dict's own, and
    what two of them count twice is counted anew before anything is dropped."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: dict[tuple[Any, ...], _Entry] = {}
        self._added = 0

    def cache_info(self) -> Held:
        """How much there is."""
        return Held(len(self._entries), self._added)

    def found(self, arguments: tuple[Any, ...]) -> _Entry | None:
        """What is known, taken out until it is kept again."""
        entry = self._entries.pop(arguments, None)
        if entry is not None:
            self._added -= entry[1]
        return entry

    def keep(self, arguments: tuple[Any, ...], entry: _Entry) -> None:
        """Remember, and forget what there is no room for."""
        self._entries[arguments] = entry
        self._added += entry[1]
        if self._added > self._limit:
            self._drop()

    def _drop(self) -> None:
        entries = list(self._entries.items())
        weight = sum(one[1] for _, one in entries)
        for arguments, one in entries[:-1]:
            if weight <= self._limit:
                break
            self._entries.pop(arguments, None)
            weight -= one[1]
        self._added = weight
