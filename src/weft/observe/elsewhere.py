"""The traffic that a Prometheus of somebody's (or a VictoriaMetrics, Mimir, Thanos) knows, in the shape of the windows.

It has what it scraped of sidecars: Istio's metrics and Istio's buckets. Increases are its own, extrapolated; where it
does not answer, or knows nothing of a time, what is kept here is the answer.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

import httpx2
import msgspec
import structlog

from weft.kit.errors import WeftError
from weft.kit.value import Labels, labels_of
from weft.model.cells import cell_of
from weft.model.reporting import SOURCE
from weft.model.series import End, Series
from weft.model.standard_metrics import METRICS, Standard, standard_labels
from weft.observe.promql.series import NAME
from weft.observe.windows.amounts import COUNT, TOTAL, Amount

_TIMEOUT = 20.0
_LARGEST = 64 * 1024 * 1024
_TIMES = METRICS["duration"].name
_LABELS = tuple(
    name for name, _ in standard_labels(Series(reporter=SOURCE, source=End(), destination=End(), route="any"))
)
_SPREAD = 10
"""Values of one bucket are taken to be at so many places, evenly."""
_AT_THAT_TIME = {"nocache": "1"}
"""Asked for now, a VictoriaMetrics answers for half a minute ago unless this is said; others pass it over."""
_log = structlog.get_logger()


class History(Protocol):
    """Who knows what was counted; it is asked on a thread."""

    def sums(self, wanted: Callable[[Labels], bool], start: int, end: int) -> list[tuple[Labels, Amount]]:
        """What was added to series after ``start``, up to ``end``, in milliseconds since the epoch."""
        ...

    def born(self) -> int:
        """When the oldest series that is kept began, in milliseconds since the epoch; 0: there is none yet."""
        ...


class Unanswered(WeftError):
    """The server did not answer, or not as a Prometheus does."""


class _Row(msgspec.Struct):
    """One series of an answer."""

    metric: dict[str, str]
    value: tuple[float, str]


class _Data(msgspec.Struct):
    result: list[_Row]


class _Answer(msgspec.Struct):
    data: _Data


class Elsewhere:
    """Asks the server at ``address``; ``own`` is what is kept here."""

    def __init__(self, address: str, own: History) -> None:
        self._url = f"{address.rstrip('/')}/api/v1/query"
        self._own = own
        self._away = False

    def born(self) -> int:
        """Nobody knows since when a server scrapes; long enough."""
        return 1

    def sums(self, wanted: Callable[[Labels], bool], start: int, end: int) -> list[tuple[Labels, Amount]]:
        """What the server says; exact as far as its scrapes are."""
        try:
            found = [(labels, amount) for labels, amount in self._asked(start, end) if wanted(labels)]
        except Unanswered as failure:
            if not self._away:
                _log.warning("the configured Prometheus does not answer; what is kept here does", reason=str(failure))
            self._away, found = True, []
        else:
            self._away = False
        return found or self._own.sums(wanted, start, end)

    def _asked(self, start: int, end: int) -> Iterator[tuple[Labels, Amount]]:
        seconds = f"[{end - start}ms]"
        with httpx2.Client(timeout=_TIMEOUT, follow_redirects=False) as client:
            for metric in METRICS.values():
                yield from _amounts(metric, partial(self._increase, client, seconds, end)).items()

    def _increase(self, client: httpx2.Client, seconds: str, end: int, name: str, *by: str) -> list[_Row]:
        query = f"sum by ({', '.join((*_LABELS, *by))}) (increase({name}{seconds}))"
        fields = {"query": query, "time": f"{end / 1000:.3f}", **_AT_THAT_TIME}
        try:
            with client.stream("POST", self._url, data=fields) as response:
                content = bytearray()
                for piece in response.iter_bytes():
                    content += piece
                    if len(content) > _LARGEST:
                        raise Unanswered(f"its answer is larger than {_LARGEST} bytes")
                if response.status_code != 200:
                    raise Unanswered(f"it answers {response.status_code}")
                return msgspec.json.decode(content, type=_Answer).data.result
        except (httpx2.HTTPError, msgspec.MsgspecError) as failure:
            raise Unanswered(str(failure)) from failure


def _amounts(metric: Standard, increase: Callable[..., list[_Row]]) -> dict[Labels, Amount]:
    """What was added of a metric, by the labels of the windows."""
    found: dict[Labels, Amount] = {}
    for row in increase(f"{metric.name}_sum" if metric.distribution else metric.name):
        found.setdefault(_labels(metric, row), {})[TOTAL] = _number(row)
    if metric.name == _TIMES:
        buckets: dict[Labels, dict[float, float]] = {}
        for row in increase(f"{metric.name}_bucket", "le"):
            buckets.setdefault(_labels(metric, row), {})[float(row.metric.get("le", "nan"))] = _number(row)
        for labels, counts in buckets.items():
            found.setdefault(labels, {}).update(_spread(counts))
    return {labels: amount for labels, amount in found.items() if any(amount.values())}


def _labels(metric: Standard, row: _Row) -> Labels:
    said = {name: value for name, value in row.metric.items() if name != "le"}
    return labels_of({NAME: metric.name, **said})


def _number(row: _Row) -> float:
    value = float(row.value[1])
    return value if math.isfinite(value) else 0.0


def _spread(counts: dict[float, float]) -> Amount:
    """Cumulative buckets by their bounds as an amount."""
    amount: Amount = {COUNT: counts.get(math.inf, 0.0)}
    for (low, below), (high, until) in itertools.pairwise([(0.0, 0.0), *sorted(counts.items())]):
        if until > below:
            width = (high - low) / _SPREAD if math.isfinite(high) else 0.0
            for place in range(_SPREAD):
                cell = cell_of(low + (place + 0.5) * width)
                amount[cell] = amount.get(cell, 0.0) + (until - below) / _SPREAD
    return amount
