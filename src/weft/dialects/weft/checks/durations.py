"""Durations that weft's own kinds take."""

from weft.dialects.findings import Findings, Here
from weft.dialects.syntax import nanoseconds

_MILLISECOND = 10**6
_DAY = 86_400 * 10**9


def check_between(here: Here, duration: str | None, *, least: int = 1) -> Findings:
    """At least ``least`` milliseconds and at most a day."""
    if duration is None:
        return
    value = nanoseconds(duration)
    if not least * _MILLISECOND <= value <= _DAY:
        yield here.error("W0108", f"{duration} is not between {least}ms and 24h", "choose a time between them")
