"""Operators between two numbers, as Go computes them: nothing raises, what has no result is infinite or NaN."""

import math
from collections.abc import Callable


def divided(left: float, right: float) -> float:
    """``left / right``."""
    if right != 0:
        return left / right
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def remainder(left: float, right: float) -> float:
    """``left % right`` with the sign of ``left``."""
    if right == 0 or math.isinf(left):
        return math.nan
    return math.fmod(left, right)


def power(left: float, right: float) -> float:
    """``left ^ right``."""
    try:
        return math.pow(left, right)
    except OverflowError:
        odd = right == math.floor(right) and right % 2 == 1
        return -math.inf if left < 0 and odd else math.inf
    except ValueError:
        if left == 0 and right < 0:
            odd = right == math.floor(right) and right % 2 == 1
            return math.copysign(math.inf, left) if odd else math.inf
        return math.nan


def domain(function: Callable[[float], float]) -> Callable[[float], float]:
    """A function of :mod:`math` that answers NaN outside of its domain and infinity beyond its range."""

    def safe(value: float) -> float:
        try:
            return function(value)
        except ValueError:
            return math.nan
        except OverflowError:
            return math.inf

    return safe


def logarithm(base: Callable[[float], float]) -> Callable[[float], float]:
    """A logarithm: minus infinity at 0, NaN below."""

    def safe(value: float) -> float:
        if value == 0:
            return -math.inf
        return base(value) if value > 0 else math.nan

    return safe


ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": divided,
    "%": remainder,
    "^": power,
    "atan2": math.atan2,
}

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    ">": lambda left, right: left > right,
    "<": lambda left, right: left < right,
    ">=": lambda left, right: left >= right,
    "<=": lambda left, right: left <= right,
}
