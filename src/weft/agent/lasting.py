"""Envoy's statistics as totals that never fall, for whoever scrapes them.

Envoy forgets a statistic that nobody touched for an hour. Several of its statistics are one series of Istio's: were one
of them missing, the series would fall, and Prometheus, which takes that for a start from 0, would count all that is
left as new. So what a forgotten one had counted goes on to be told, until all of its series is forgotten.
"""

from collections.abc import Hashable

from weft.agent.exposition import series_in
from weft.model.series import End


class _Line:
    """One of Envoy's lines: the series that it is part of, what was counted ``before`` Envoy began anew, and since."""

    __slots__ = ("before", "series", "since", "there")

    def __init__(self, series: Hashable) -> None:
        self.series = series
        self.before = self.since = 0.0
        self.there = True

    def told(self, amount: float) -> None:
        """What Envoy says now."""
        if amount < self.since * (1 - 1e-9):  # sums are floats
            self.before += self.since
        self.since, self.there = amount, True

    def missing(self) -> None:
        """Envoy says nothing."""
        self.before += self.since
        self.since, self.there = 0.0, False


class Lasting:
    """Remembers the lines of the last scrape. Not thread-safe."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    def whole(self, envoys: str, own: End) -> str:
        """The lines of a scrape that are the mesh's own, with what Envoy has forgotten of their series."""
        for line in self._lines.values():
            line.there = False
        for text in envoys.splitlines():
            self._told(text, own)
        living = {line.series for line in self._lines.values() if line.there}
        for line in self._lines.values():
            if not line.there:
                line.missing()
        self._lines = {name: line for name, line in self._lines.items() if line.series in living}
        return "".join(f"{name} {line.before + line.since:.17g}\n" for name, line in self._lines.items())

    def _told(self, text: str, own: End) -> None:
        name, _, amount = text.rpartition(" ")
        line = self._lines.get(name)
        if line is None:
            series = None if text.startswith("#") else series_in(text, own)
            if series is None:
                return
            line = self._lines[name] = _Line(series)
        line.told(float(amount))
