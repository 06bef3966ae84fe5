"""Moments as people write them: ``10m`` ago, ``14:30``, ``2026-11-21T14:30:00Z``, or seconds since the epoch."""

import time
from datetime import datetime
from typing import Any

import click

from weft.cli.durations import DURATION


class _Moment(click.ParamType[float]):
    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        found = _moment(str(value), time.time())
        if found is None:
            self.fail(f"{value!r} is no moment such as 10m (ago), 14:30 or 2026-11-21T14:30:00Z", param, ctx)
        return found


def _moment(said: str, now: float) -> float | None:
    """Seconds since the epoch. Times without a zone are of this machine's."""
    try:
        return float(said)
    except ValueError:
        pass
    try:
        return now - DURATION.convert(said, None, None)
    except click.BadParameter:
        pass
    if len(said) <= len("14:30:00"):
        said = f"{datetime.fromtimestamp(now).astimezone().date().isoformat()}T{said}"
    try:
        return datetime.fromisoformat(said).timestamp()
    except ValueError:
        return None


MOMENT = _Moment()
"""An option's type: seconds since the epoch as a float."""
