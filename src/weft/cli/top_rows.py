"""What `weft top` shows, apart from how: rows of signals, their history, their order, and which of them are wanted."""

from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

from weft.cli.traffic import milliseconds, percent, rate
from weft.kit.value import Value

HISTORY = 30
"""How many answers a sparkline shows."""
_BARS = " ▁▂▃▄▅▆▇█"
Item = dict[str, Any]


class Of(Enum):
    """What there is a row for."""

    SERVICE = "service"
    WORKLOAD = "workload"
    NAMESPACE = "namespace"
    EDGE = "edge"
    ROUTE = "route"


class Sort(Enum):
    """The column that rows are ordered by; names rise, all else falls, and of success the worst comes first."""

    NAME = "name"
    SUCCESS = "success"
    RATE = "rate"
    P50 = "p50"
    P95 = "p95"
    P99 = "p99"


HEAD = ("name", "success", "rate", "p50", "p95", "p99", "history")


class Row(Value):
    """One service, workload, namespace or edge. Latencies are milliseconds; what is not known is ``None``."""

    name: str
    success: float | None
    rate: float
    p50: float | None
    p95: float | None
    p99: float | None
    history: tuple[float, ...] = ()

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as text, in the order of ``HEAD``."""
        latencies = (milliseconds(one) for one in (self.p50, self.p95, self.p99))
        return (self.name, percent(self.success), rate(self.rate), *latencies, sparkline(self.history))

    @property
    def bad(self) -> bool:
        """Whether more than one in a hundred failed."""
        return self.success is not None and self.success < 0.99


class Rows:
    """The newest rows of one kind, and what came before of each."""

    def __init__(self, of: Of) -> None:
        self.of = of
        self._histories: dict[str, deque[float]] = {}
        self._rows: tuple[Row, ...] = ()

    def update(self, items: Sequence[Item]) -> None:
        """Take an answer; what is in it no more had no calls, and is forgotten when its history is empty."""
        found = {name_of(self.of, item): item for item in items}
        for name, item in found.items():
            self._histories.setdefault(name, deque(maxlen=HISTORY)).append(float(item["rate"]))
        for name in [name for name in self._histories if name not in found]:
            history = self._histories[name]
            history.append(0.0)
            if not any(history):
                del self._histories[name]
        self._rows = tuple(self._row(name, found.get(name)) for name in self._histories)

    def shown(self, sort: Sort, *, reverse: bool = False, wanted: str = "") -> list[Row]:
        """The rows whose names have all wanted words in them, in order; unknown values last."""
        words = wanted.lower().split()
        kept = [row for row in self._rows if all(word in row.name.lower() for word in words)]
        known = [row for row in kept if _value(sort, row) is not None]
        falling = sort not in (Sort.NAME, Sort.SUCCESS)
        ordered = sorted(sorted(known, key=lambda row: row.name), key=_order(sort), reverse=falling != reverse)
        return [*ordered, *(row for row in kept if _value(sort, row) is None)]

    def _row(self, name: str, item: Item | None) -> Row:
        history = tuple(self._histories[name])
        if item is None:
            return Row(name=name, success=None, rate=0.0, p50=None, p95=None, p99=None, history=history)
        latency = item["latency"]
        return Row(
            name=name,
            success=item["success"],
            rate=item["rate"],
            p50=latency["p50"],
            p95=latency["p95"],
            p99=latency["p99"],
            history=history,
        )


def name_of(of: Of, item: Item) -> str:
    """The name of an item's row."""
    if of is Of.EDGE:
        ends = (item[side] for side in ("source", "destination"))
        source, destination = (f"{end['namespace']}/{end['workload']}" for end in ends)
        return f"{source} -> {destination}"
    return str(item["name"]) if of in (Of.NAMESPACE, Of.ROUTE) else f"{item['namespace']}/{item['name']}"


def question_of(of: Of, namespace: str, window: float) -> tuple[str, dict[str, str]]:
    """Where to ask for the rows of a kind, and with which parameters; routes are seen, not asked for."""
    params = {"window": f"{window:g}"} | ({"namespace": namespace} if namespace and of is not Of.NAMESPACE else {})
    return ("/weft/v1/edges", params) if of is Of.EDGE else ("/weft/v1/stat", params | {"by": of.value})


def sparkline(values: Sequence[float]) -> str:
    """Bars, the highest for the most."""
    most = max(values, default=0.0)
    if most <= 0:
        return _BARS[0] * len(values)
    return "".join(_BARS[0 if one <= 0 else max(1, round(one / most * (len(_BARS) - 1)))] for one in values)


def _value(sort: Sort, row: Row) -> float | str | None:
    value: float | str | None = getattr(row, sort.value)
    return value


def _order(sort: Sort) -> Callable[[Row], Any]:
    return lambda row: _value(sort, row)
