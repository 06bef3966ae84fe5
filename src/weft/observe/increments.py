"""What reports of proxies are read as: numbers since the last report, each of a series."""

from collections.abc import Callable

from weft.model.series import Series

Increment = tuple[Series, str, int, float, tuple[tuple[int, int], ...]]
"""What was counted since the last report: the series; what (``requests``, ``duration``, ``request_bytes``,
``response_bytes``, ``opened``, ``closed``, ``received``, ``sent``); how many; their sum (of times in microseconds); of
times how many in which bucket of ``MICROSECOND_BOUNDS``, by index, the last one open."""

OnIncrements = Callable[[float, list[Increment]], None]
"""Takes what one report of a proxy says, and when it came (seconds since the epoch); never waits."""
