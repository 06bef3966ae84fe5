"""Traffic by edge: who calls whom, how often, how well and how fast, over the last quarter of an hour.

What proxies told is kept in steps of five seconds, in bounded memory: kinds of calls beyond ``MOST_SERIES`` are counted
together under ``OTHER``, and when there are more than ``MOST_CELLS`` numbers the oldest steps go first. Longer windows
are another's (``Flows`` is told by the same function as they are).
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator

from weft.kit.clock import Clock
from weft.kit.value import Value
from weft.model.reporting import SOURCE, Peer
from weft.model.series import MUTUAL, PLAIN, End, Series
from weft.observe.increments import Increment
from weft.observe.latency import Latency, merged

STEP = 5.0
MOST_STEPS = 180
MOST_SERIES = 6_000
MOST_CELLS = 20_000
_OTHER_PEER = Peer(workload="other", namespace="other", service="other", revision="other", cluster="other")
OTHER = Series(reporter=SOURCE, source=End(peer=_OTHER_PEER), destination=End(peer=_OTHER_PEER), service="other")
"""What stands for everything that there was no room for."""


class Edge(Value):
    """Calls or connections of one kind between two workloads within a window. ``seconds``: how long it was.

    ``security`` is ``mutual_tls`` or ``none``. ``codes`` are statuses of HTTP (or of gRPC, for ``grpc``) and how often.
    ``reporter`` is the side that counted: the caller's where it has a sidecar.
    """

    source: End
    destination: End
    service: str
    protocol: str
    security: str
    reporter: str
    seconds: float
    requests: int = 0
    errors: int = 0
    codes: tuple[tuple[str, int], ...] = ()
    latency: Latency = Latency()
    request_bytes: int = 0
    response_bytes: int = 0
    opened: int = 0
    closed: int = 0
    received: int = 0
    sent: int = 0

    @property
    def rate(self) -> float:
        """Calls a second."""
        return self.requests / self.seconds if self.seconds else 0.0

    @property
    def success(self) -> float | None:
        """The share of calls that succeeded, ``None`` without calls."""
        return 1 - self.errors / self.requests if self.requests else None


class _Cell:
    """The numbers of one series in one step."""

    __slots__ = ("latency", "numbers")

    def __init__(self) -> None:
        self.numbers: dict[str, float] = {}
        self.latency: dict[int, int] = {}

    def add(self, what: str, total: float, buckets: tuple[tuple[int, int], ...]) -> None:
        """Add to one of the numbers; only times are kept in buckets."""
        self.numbers[what] = self.numbers.get(what, 0.0) + total
        if what != "duration":
            return
        for index, how_many in buckets:
            self.latency[index] = self.latency.get(index, 0) + how_many


class Flows:
    """What was counted lately. Owned by one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._steps: deque[tuple[int, dict[Series, _Cell]]] = deque()
        self._known: OrderedDict[Series, None] = OrderedDict()
        self._cells = 0
        self.overflowed = 0

    def add(self, at: float, increments: Iterable[Increment]) -> None:
        """Count what a proxy told."""
        cells = self._step(int(at // STEP))
        for series, what, _, total, buckets in increments:
            key = self._admitted(series)
            cell = cells.get(key)
            if cell is None:
                cell = cells[key] = _Cell()
                self._cells += 1
            cell.add(what, total, buckets)
        self._forget()

    def edges(self, window: float) -> tuple[Edge, ...]:
        """Every edge with traffic in the last seconds, each call counted once: by the caller's proxy, or by the
        callee's where the caller has none."""
        found = self._gathered(window)
        seconds = self.reach(window)
        groups: dict[tuple[object, ...], list[tuple[Series, _Cell]]] = {}
        for series, cell in found.items():
            groups.setdefault(_edge_key(series), []).append((series, cell))
        edges = [_edge(group, seconds) for group in groups.values()]
        told = {(one.source.peer, one.service, one.protocol) for one in edges if one.reporter == SOURCE}
        kept = [
            one for one in edges if one.reporter == SOURCE or (one.source.peer, one.service, one.protocol) not in told
        ]
        return tuple(sorted(kept, key=_order))

    def series(self, window: float) -> Iterator[tuple[Series, dict[str, float], Latency]]:
        """Every series with its numbers in the last seconds, of both reporters."""
        for series, cell in self._gathered(window).items():
            yield series, cell.numbers, merged((cell.latency,))

    def reach(self, window: float) -> float:
        """How many of the last seconds are known."""
        if not self._steps:
            return window
        begun = self._steps[0][0] * STEP
        return max(STEP, min(window, self._clock.now() - begun))

    @property
    def kinds(self) -> int:
        """How many series are known."""
        return len(self._known)

    def _step(self, number: int) -> dict[Series, _Cell]:
        if not self._steps or self._steps[-1][0] < number:
            self._steps.append((number, {}))
        return self._steps[-1][1]

    def _admitted(self, series: Series) -> Series:
        if series in self._known:
            self._known.move_to_end(series)
            return series
        if len(self._known) >= MOST_SERIES:
            self.overflowed += 1
            return OTHER
        self._known[series] = None
        return series

    def _forget(self) -> None:
        """Let old steps go, and what only they knew."""
        oldest = int(self._clock.now() // STEP) - MOST_STEPS
        gone = False
        while len(self._steps) > 1 and (self._steps[0][0] < oldest or self._cells > MOST_CELLS):
            self._cells -= len(self._steps.popleft()[1])
            gone = True
        if gone and len(self._known) >= MOST_SERIES:
            kept = {series for _, cells in self._steps for series in cells}
            self._known = OrderedDict((series, None) for series in self._known if series in kept)

    def _gathered(self, window: float) -> dict[Series, _Cell]:
        since = int((self._clock.now() - window) // STEP)
        found: dict[Series, _Cell] = {}
        for number, cells in self._steps:
            if number < since:
                continue
            for series, cell in cells.items():
                whole = found.setdefault(series, _Cell())
                for what, value in cell.numbers.items():
                    whole.numbers[what] = whole.numbers.get(what, 0.0) + value
                for index, count in cell.latency.items():
                    whole.latency[index] = whole.latency.get(index, 0) + count
        return found


def _edge_key(series: Series) -> tuple[object, ...]:
    return (
        series.reporter, series.source, series.destination.peer, series.service, series.protocol, series.security,
    )  # fmt: skip


def _edge(group: list[tuple[Series, _Cell]], seconds: float) -> Edge:
    first = group[0][0]
    codes: dict[str, int] = {}
    for series, cell in group:
        code = series.grpc if series.protocol == "grpc" else series.code
        if requests := round(cell.numbers.get("requests", 0)):
            codes[code] = codes.get(code, 0) + requests

    def total(what: str) -> int:
        return round(sum(cell.numbers.get(what, 0) for _, cell in group))

    return Edge(
        source=first.source,
        destination=first.destination,
        service=first.service,
        protocol=first.protocol,
        security=MUTUAL if first.security == MUTUAL else PLAIN,
        reporter=first.reporter,
        seconds=seconds,
        requests=total("requests"),
        errors=round(sum(cell.numbers.get("requests", 0) for series, cell in group if series.failed)),
        codes=tuple(sorted(codes.items())),
        latency=merged(cell.latency for _, cell in group),
        request_bytes=total("request_bytes"),
        response_bytes=total("response_bytes"),
        opened=total("opened"),
        closed=total("closed"),
        received=total("received"),
        sent=total("sent"),
    )


def _order(edge: Edge) -> tuple[str, ...]:
    ends = (edge.source.peer, edge.destination.peer)
    return (*(f"{one.namespace}/{one.workload}" for one in ends), edge.service, edge.protocol, edge.security)
