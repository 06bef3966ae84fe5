"""OpenSLO's durations: a number and one letter."""

import re

_SHORT = re.compile(r"([1-9][0-9]{0,5}|0)([mhdw])")
_UNITS = {"m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
UNSERVED = re.compile(r"[0-9]+[MQY]")
"""Months, quarters and years have no length of their own."""


def seconds_of(text: str) -> float | None:
    """The seconds of a duration, ``None`` for one that is none."""
    found = _SHORT.fullmatch(text)
    return int(found[1]) * _UNITS[found[2]] if found else None
