"""What reports of proxies are read as: numbers since the last report, each of a series."""

from collections.abc import Callable

from weft.model.series import Series

Increment = tuple[Series, str, int, float, tuple[tuple[int, int], ...]]
"""What was counted since the last report: the series; what (``requests``, ``duration``, ``request_bytes``,
``response_bytes``, ``request_messages``, ``response_messages``, ``opened``, ``closed``, ``received``, ``sent``); how
many; their sum (of times in milliseconds); of times and sizes how many in which cell (``weft.model.cells``)."""

OnIncrements = Callable[[float, list[Increment]], None]
"""Takes what one report of a proxy says, and when it came (seconds since the epoch); never waits."""
