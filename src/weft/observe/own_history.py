"""The control plane's own numbers over the last hour, so that queries and dashboards find them without a Prometheus.

They are looked at every 15 s (more often at first) and kept in memory: what is counted since the start begins anew
with each start anyway.
"""

import asyncio
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Protocol

from weft.kit.clock import Clock
from weft.kit.value import Labels
from weft.observe.own_metrics import Metric, Spread, samples_of
from weft.observe.promql.series import NAME, Matcher, Series, Source, accepted

EVERY = 15.0
_KEPT = 300
"""Looks that are kept: 75 minutes."""
_MOST = 5_000
"""Series that are kept; what is beyond is left out."""
_OWN: Labels = (("instance", "control-plane"), ("job", "weft"))
"""The labels that a Prometheus would add."""


class OwnHistory:
    """Series of numbers. Looks on the event loop, is read by threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._series: dict[Labels, deque[tuple[int, float]]] = {}

    def look(self, metrics: Iterable[Metric | Spread]) -> None:
        """Keep how the numbers are now."""
        now = round(self._clock.now() * 1000)
        for name, labels, value in chain.from_iterable(map(samples_of, metrics)):
            key = tuple(sorted((*labels, *_OWN, (NAME, name))))
            kept = self._series.get(key)
            if kept is None:
                if len(self._series) >= _MOST:
                    continue
                kept = self._series[key] = deque(maxlen=_KEPT)
            kept.append((now, value))
        late = now - _KEPT * EVERY * 1000
        for key in [key for key, kept in self._series.items() if kept[-1][0] < late]:
            del self._series[key]

    async def run(self, metrics: Callable[[], Iterable[Metric | Spread]]) -> None:
        """Look again and again, until cancelled."""
        pause = 1.0
        while True:
            self.look(metrics())
            await asyncio.sleep(pause)
            pause = min(2 * pause, EVERY)

    def select(self, matchers: tuple[Matcher, ...], start: int, end: int) -> Iterator[Series]:
        """Series with their samples of a time."""
        for labels, kept in list(self._series.items()):
            if not accepted(matchers, labels):
                continue
            samples = [one for one in list(kept) if start <= one[0] <= end]
            if samples:
                yield Series(labels, array("q", (time for time, _ in samples)), [value for _, value in samples])

    def series(self, matchers: tuple[Matcher, ...], start: int, end: int) -> list[Labels]:
        """The labels of series that were there in a time."""
        return [one.labels for one in self.select(matchers, start, end)]


class Kept(Source, Protocol):
    """Who keeps series of traffic."""

    def series(self, matchers: tuple[Matcher, ...], start: int, end: int) -> list[Labels]:
        """The labels of series that were there in a time."""
        ...


class Together:
    """Two keepers of series as one."""

    def __init__(self, traffic: Kept, own: OwnHistory) -> None:
        self._traffic = traffic
        self._own = own

    def select(self, matchers: tuple[Matcher, ...], start: int, end: int) -> Iterable[Series]:
        """Series of both."""
        return chain(self._traffic.select(matchers, start, end), self._own.select(matchers, start, end))

    def series(self, matchers: tuple[Matcher, ...], start: int, end: int) -> list[Labels]:
        """Labels of both."""
        return [*self._traffic.series(matchers, start, end), *self._own.series(matchers, start, end)]
