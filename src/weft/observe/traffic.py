"""Traffic over any time that the windows know: edges from the series in which proxies' reports are kept."""

from weft.kit.clock import Clock
from weft.kit.value import Labels, Value, value_at
from weft.model.reporting import SOURCE, Peer
from weft.model.series import End, Series
from weft.model.standard_metrics import METRICS, series_of_labels
from weft.observe.edges import Edge, Kind, edges_of
from weft.observe.elsewhere import History
from weft.observe.promql.series import NAME
from weft.observe.windows.packing import STEP
from weft.observe.windows.store import OVERFLOW

_WHAT = {metric.name: what for what, metric in METRICS.items()}
_OTHER_PEER = Peer(workload="other", namespace="other", service="other", revision="other", cluster="other")
OTHER = Series(reporter=SOURCE, source=End(peer=_OTHER_PEER), destination=End(peer=_OTHER_PEER), service="other")
"""What stands for everything that there was no room for."""


class Period(Value):
    """A time that is looked at, in milliseconds since the epoch: after ``start``, up to ``end``.

    ``seconds`` is how much of it is over and known.
    """

    start: int
    end: int
    seconds: float


class Traffic:
    """Reads the windows, or what knows as much. Its methods wait: call them on a thread (``asyncio.to_thread``)."""

    def __init__(self, windows: History, clock: Clock) -> None:
        self._windows = windows
        self._clock = clock

    def period(self, window: float, at: float | None = None) -> Period:
        """The last ``window`` seconds before ``at`` (seconds since the epoch), or before now, in whole steps of 5 s.

        Of a period that ends now the step that is not over belongs to it.
        """
        now = self._clock.now() * 1000
        past = at is not None and at * 1000 < now
        until = at * 1000 if at is not None and past else now
        open_step = int(now // STEP) * STEP + STEP
        end = -int(-until // STEP) * STEP if past else open_step
        start = int((until - window * 1000) // STEP) * STEP
        return self.between(start, end)

    def between(self, start: int, end: int) -> Period:
        """The period between two moments, in milliseconds since the epoch."""
        until = min(float(end), self._clock.now() * 1000)
        known = max(start, self._windows.born() or end - STEP)
        return Period(start=start, end=end, seconds=max(STEP, until - known) / 1000)

    def edges(
        self, start: int, end: int, *, whats: frozenset[str] = frozenset(METRICS), routes: bool = False
    ) -> tuple[Edge, ...]:
        """Every edge with traffic after ``start`` and up to ``end`` (milliseconds since the epoch, steps of 5 s).

        Each call is counted once. What is older than an hour is told apart by the minute, older than a day by the
        quarter of an hour. ``whats`` names what is read (``requests``, ``duration``, ...: keys of ``METRICS``): without
        ``duration`` it takes a fraction of the time. ``routes``: told apart by route, too.
        """
        found = self._windows.sums(lambda labels: _WHAT.get(value_at(labels, NAME) or "") in whats, start, end)
        period = self.between(start, end)
        return edges_of(((_kind(labels), amount) for labels, amount in found), period.seconds, routes=routes)


def _kind(labels: Labels) -> Kind:
    what = _WHAT[value_at(labels, NAME) or ""]
    return (OTHER if value_at(labels, OVERFLOW) else series_of_labels(labels), what)
