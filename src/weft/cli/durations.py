"""Durations as people write them: ``10m``, ``1h30m``, ``90s``, ``250ms``."""

import re
from typing import Any

import click

_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|d|h|m|s)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")


class _Duration(click.ParamType[float]):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        if not _WHOLE.fullmatch(str(value)):
            self.fail(f"{value!r} is not a duration such as 90s, 10m or 1h30m", param, ctx)
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(str(value)))
        if seconds <= 0:
            self.fail("a duration must be longer than nothing", param, ctx)
        return seconds


def seconds_of(text: str) -> float | None:
    """The seconds of a duration, ``None`` where it is none."""
    if not _WHOLE.fullmatch(text):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


DURATION = _Duration()
"""An option's type: seconds as a float."""


def told(seconds: float) -> str:
    """Seconds as people write them, in the two largest units: ``9m58s``."""
    left = max(0, round(seconds))
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2]) or "0s"
