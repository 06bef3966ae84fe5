"""What a measurement yields: a table for people, targets with their verdict, and the raw samples."""

import math
from typing import Any

from weft.kit.value import Value


class Target(Value):
    """A promise: ``measured`` must not exceed ``limit``."""

    what: str
    measured: float
    limit: float
    unit: str

    @property
    def met(self) -> bool:
        """Whether it is kept; a figure that could not be measured keeps nothing."""
        return self.measured <= self.limit


class Figure(Value):
    """One measurement. ``samples`` is JSON-able: everything the table was made from.

    ``others`` is the part of the machine (0-1) that was used by anything else meanwhile.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    targets: tuple[Target, ...] = ()
    notes: tuple[str, ...] = ()
    samples: Any = None
    failure: str = ""
    others: float = 0.0


def failed(name: str, title: str, reason: str) -> Figure:
    """A measurement that did not take place."""
    return Figure(name=name, title=title, columns=(), rows=(), failure=reason)


def number(value: float, unit: str = "") -> str:
    """Three significant digits, thousands with commas; a dash for what was not measured."""
    if math.isnan(value):
        return "-"
    digits = 0 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}{' ' + unit if unit else ''}"


def times(value: float) -> str:
    """A ratio."""
    return "-" if math.isnan(value) else f"x {value:.2f}"
