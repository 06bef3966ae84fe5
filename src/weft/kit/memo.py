"""Memoisation by value, for pure functions of values.

The result depends on the arguments alone, so a cached one can never be wrong, only forgotten: the caches are bounded
and drop what was not used for longest.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")


def memo(capacity: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Remember the last ``capacity`` results of a pure function whose arguments are values."""

    def wrap(function: Callable[P, R]) -> Callable[P, R]:
        return cast(Callable[P, R], lru_cache(maxsize=capacity)(function))

    return wrap
