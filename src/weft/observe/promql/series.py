"""Samples as a query meets them: named series, chosen by matchers."""

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

import re2

from weft.kit.memo import memo
from weft.kit.value import Labels, Value

NAME = "__name__"


class Operator(Enum):
    """How a matcher compares."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCHES = "=~"
    NOT_MATCHES = "!~"


class Matcher(Value):
    """One condition on one label; an absent label is an empty one."""

    name: str
    operator: Operator
    value: str

    def accepts(self, value: str) -> bool:
        """Whether a label with this value fulfils the condition; expressions match the whole value."""
        match self.operator:
            case Operator.EQUAL:
                return value == self.value
            case Operator.NOT_EQUAL:
                return value != self.value
            case Operator.MATCHES:
                return _matches(self.value, value)
            case Operator.NOT_MATCHES:
                return not _matches(self.value, value)


class Series(NamedTuple):
    """One series: ``times`` in milliseconds since the epoch, ascending, and a value for each."""

    labels: Labels
    times: Sequence[int]
    values: Sequence[float]


class Source(Protocol):
    """Who keeps samples."""

    def select(self, matchers: tuple[Matcher, ...], start: int, end: int) -> Iterable[Series]:
        """The series that all matchers accept, with their samples from ``start`` to ``end``, both included."""


def accepted(matchers: Iterable[Matcher], labels: Labels) -> bool:
    """Whether all matchers accept these labels."""
    values = dict(labels)
    return all(one.accepts(values.get(one.name, "")) for one in matchers)


@memo(512)
def _program(regex: str) -> "re2._Regexp[str]":
    return re2.compile(f"(?s:{regex})")


@memo(16384)
def _matches(regex: str, value: str) -> bool:
    return _program(regex).fullmatch(value) is not None
