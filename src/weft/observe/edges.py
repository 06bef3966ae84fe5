"""Who called whom over a time: edges with their golden signals, each call counted once.

This is how everything but PromQL reads the windows: ``weft stat``, ``edges`` and ``graph``, objectives and anomalies.
"""

from collections.abc import Iterable

from weft.kit.value import Value
from weft.model.reporting import SOURCE, UNKNOWN
from weft.model.series import MUTUAL, PLAIN, End, Series
from weft.observe.latency import Latency, latency_of
from weft.observe.windows.amounts import TOTAL, Amount, add


class Edge(Value):
    """Calls or connections of one kind between two workloads within a time. ``seconds``: how long it was.

    ``route`` is the name of the rule that they went by, where edges were asked for by route: empty for calls that no
    rule with a name sent.

    ``security`` is ``mutual_tls`` or ``none``. ``codes`` are statuses of HTTP (or of gRPC, for ``grpc``) and how often,
    ``flags`` Envoy's response flags of calls that have some. ``reporter`` is the side that counted: the caller's where
    it has a sidecar. Of TCP there are ``opened``, ``closed``, ``received`` and ``sent``; ``broken`` are connections
    that ended in an error.
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
    flags: tuple[tuple[str, int], ...] = ()
    latency: Latency = Latency()
    request_bytes: int = 0
    response_bytes: int = 0
    opened: int = 0
    closed: int = 0
    broken: int = 0
    received: int = 0
    sent: int = 0
    route: str = ""

    @property
    def rate(self) -> float:
        """Calls a second."""
        return self.requests / self.seconds if self.seconds else 0.0

    @property
    def success(self) -> float | None:
        """The share of calls that succeeded, ``None`` without calls."""
        return 1 - self.errors / self.requests if self.requests else None


Kind = tuple[Series, str]
"""A series, and what is counted of it (``weft.model.standard_metrics.METRICS``)."""


def edges_of(found: Iterable[tuple[Kind, Amount]], seconds: float, *, routes: bool = False) -> tuple[Edge, ...]:
    """The edges of what was counted: by the caller's proxy, or by the callee's where the caller has none.

    ``routes``: those of one pair are told apart by the route.
    """
    groups: dict[tuple[object, ...], list[tuple[Kind, Amount]]] = {}
    for kind, amount in found:
        key = (*_key(kind[0]), kind[0].route if routes else "")
        groups.setdefault(key, []).append((kind, amount))
    edges = [_edge(group, seconds, str(key[-1])) for key, group in groups.items()]
    told = {who for one in edges if one.reporter == SOURCE for who in (_caller(one), _account(one))}
    kept = [one for one in edges if one.reporter == SOURCE or _told_by(one) not in told]
    return tuple(sorted(kept, key=_order))


def _told_by(edge: Edge) -> tuple[object, ...]:
    """Who would have told of the same calls. Callees of bytes know of their callers the certificate alone."""
    return _account(edge) if edge.source.peer.workload == UNKNOWN and edge.source.principal else _caller(edge)


def _caller(edge: Edge) -> tuple[object, ...]:
    return (edge.source.peer, edge.service, edge.protocol)


def _account(edge: Edge) -> tuple[object, ...]:
    return (edge.source.principal, edge.service, edge.protocol)


def _key(series: Series) -> tuple[object, ...]:
    return (
        series.reporter, series.source, series.destination.peer, series.service, series.protocol, series.security,
    )  # fmt: skip


class _Sum:
    """The numbers of one edge while they are added."""

    def __init__(self) -> None:
        self.totals: dict[str, float] = {}
        self.codes: dict[str, float] = {}
        self.flags: dict[str, float] = {}
        self.failed: dict[str, float] = {}
        self.times: Amount = {}

    def add(self, series: Series, what: str, amount: Amount) -> None:
        total = amount.get(TOTAL, 0.0)
        self.totals[what] = self.totals.get(what, 0.0) + total
        match what:
            case "requests":
                code = series.grpc if series.protocol == "grpc" else series.code
                self.codes[code] = self.codes.get(code, 0.0) + total
                self._ended(series, what, total)
            case "closed":
                self._ended(series, what, total)
            case "duration":
                add(self.times, amount)

    def _ended(self, series: Series, what: str, total: float) -> None:
        if series.flags not in ("", "-"):
            self.flags[series.flags] = self.flags.get(series.flags, 0.0) + total
        if series.failed:
            self.failed[what] = self.failed.get(what, 0.0) + total


def _edge(group: list[tuple[Kind, Amount]], seconds: float, route: str) -> Edge:
    first, sums = group[0][0][0], _Sum()
    for (series, what), amount in group:
        sums.add(series, what, amount)

    def total(what: str) -> int:
        return round(sums.totals.get(what, 0.0))

    return Edge(
        source=first.source,
        destination=first.destination,
        service=first.service,
        protocol=first.protocol,
        security=MUTUAL if first.security == MUTUAL else PLAIN,
        reporter=first.reporter,
        seconds=seconds,
        requests=total("requests"),
        errors=round(sums.failed.get("requests", 0.0)),
        codes=_counts(sums.codes),
        flags=_counts(sums.flags),
        latency=latency_of(sums.times),
        request_bytes=total("request_bytes"),
        response_bytes=total("response_bytes"),
        opened=total("opened"),
        closed=total("closed"),
        broken=round(sums.failed.get("closed", 0.0)),
        received=total("received"),
        sent=total("sent"),
        route=route,
    )


def _counts(found: dict[str, float]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((name, round(count)) for name, count in found.items() if round(count)))


def _order(edge: Edge) -> tuple[str, ...]:
    ends = (edge.source.peer, edge.destination.peer)
    return (
        *(f"{one.namespace}/{one.workload}" for one in ends),
        edge.service,
        edge.protocol,
        edge.security,
        edge.route,
    )
