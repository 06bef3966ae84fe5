"""Metrics that proxies stream (``envoy.service.metrics.v3``): what they counted since they last told.

Only the mesh's own statistics are read; Envoy's others travel along and are passed over by their names. Which series a
statistic is of is worked out when it is first seen.
"""

from collections.abc import Iterator
from struct import Struct
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from google.protobuf.message import DecodeError

from weft._pb.envoy.service.metrics.v3.metrics_service_pb2 import StreamMetricsMessage
from weft._pb.io.prometheus.client.metrics_pb2 import LabelPair
from weft.kit.value import Labels, labels_of
from weft.model.cuts import DIGITS, SLICE
from weft.model.identity import Identity
from weft.model.reporting import STATISTICS, peer_of
from weft.model.series import End, Series, series_of
from weft.observe.access_logs import Malformed, reporter_of
from weft.observe.histograms import CUTS, SIZES, Cells, Distribution, distribution
from weft.observe.report_schema import REPORT
from weft.observe.sinks import Receive, StreamSink

METHOD = "/envoy.service.metrics.v3.MetricsService/StreamMetrics"
_PREFIX = f"{STATISTICS}."
_LONGEST_NODE = 65_536
_AT_ONCE = 100
"""Statistics that are read before others have their turn."""
_MOST_PLACES = 32_768
"""Statistics of all proxies of which it is remembered where they are kept; some 130 bytes each."""
_Place = TypeVar("_Place")
_MOST_COUNTED = 1e15
"""More than that nobody counts in a flush; beyond, floating point is no longer exact."""


def _label(name: str, value: str) -> bytes:
    return LabelPair(name=name, value=value).SerializeToString()


_CUTS = {(_label(DIGITS, digits), _label(SLICE, slice_)): cells for (digits, slice_), cells in CUTS.items()}
_DOUBLE = Struct("<xd")


class _Introduction(msgspec.Struct):
    workload: str = ""
    labels: tuple[tuple[str, str], ...] = ()


class Keeper(Protocol[_Place]):
    """Who keeps what is counted; a place is where one statistic is, ``None`` where it is not kept."""

    def place(self, series: Series, what: str) -> _Place | None:
        """Where a series is counted; ``what``: a key of ``weft.model.standard_metrics.METRICS``."""

    def count(self, place: _Place, amount: float) -> None:
        """Add what was counted since the last report."""

    def observe(self, place: _Place, values: Distribution) -> None:
        """Add the values that were observed since: times in milliseconds, sizes in bytes."""


class Metrics(Generic[_Place]):
    """Reads the streams and has what was counted kept."""

    def __init__(self, keeper: Keeper[_Place]) -> None:
        self._keeper = keeper
        self._places: dict[int, _Place | None] = {}
        self.messages = 0
        self.increments = 0

    def sink(self) -> StreamSink:
        """The method."""
        return StreamSink(method=METHOD, opened=self._opened, sheds=True)

    def _opened(self, identity: Identity) -> Receive:
        return _Stream(identity, self).receive

    def take(self, own: End, report: Any) -> Iterator[None]:
        """Have kept what is in a message, a part at a time."""
        self.messages += 1
        families, begun = report.families, 0
        while begun < len(families):
            if begun:
                yield
            self._read(own, families[begun : begun + _AT_ONCE])
            begun += _AT_ONCE

    def _read(self, own: End, families: Any) -> None:
        for family in families:
            name = family.name
            if not name.startswith(_PREFIX):
                continue
            for metric in family.metric:
                labels = tuple(metric.label)
                cells = _CUTS.get(labels[:2])
                place = self._place(own, name, labels if cells is None else labels[2:])
                if place is not None:
                    self._keep(place, metric, cells or SIZES)

    def _keep(self, place: _Place, metric: Any, cells: Cells) -> None:
        histogram: bytes = metric.histogram
        if histogram:
            values = distribution(histogram, cells)
            if values[0]:
                self.increments += 1
                self._keeper.observe(place, values)
        elif (value := _counted(metric.counter)) > 0:
            self.increments += 1
            self._keeper.count(place, value)

    def _place(self, own: End, name: str, labels: tuple[bytes, ...]) -> _Place | None:
        """Where a statistic is kept, remembered by a hash of 64 bits, for the statistics of a mesh are many."""
        key = hash((own, name, labels))
        try:
            return self._places[key]
        except KeyError:
            if len(self._places) >= _MOST_PLACES:
                self._places.clear()
        series = series_of(own, name, _labels(labels))
        place = self._places[key] = self._keeper.place(*series) if series else None
        return place


class _Stream:
    """One stream: the proxy that tells."""

    def __init__(self, identity: Identity, metrics: Metrics[Any]) -> None:
        self._identity = identity
        self._metrics = metrics
        self._own: End | None = None

    def receive(self, content: bytes) -> Iterator[None]:
        try:
            message = REPORT.FromString(content)
            if self._own is None:
                self._own = _own(self._identity, message.identifier)
        except DecodeError as wrong:
            raise Malformed(f"this is no message of metrics: {wrong}") from wrong
        return self._metrics.take(self._own, message)


def _own(identity: Identity, introduced: bytes) -> End:
    """The proxy's side: its name and labels are what its node says, its namespace and principal its certificate."""
    node = StreamMetricsMessage.Identifier.FromString(introduced).node
    reporter = reporter_of(identity, node.id)
    said = node.metadata.fields["weft"].string_value if "weft" in node.metadata.fields else ""
    introduction = _introduction(said)
    workload = introduction.workload or reporter.proxy.removesuffix(f".{identity.namespace}")
    labels = labels_of(dict(introduction.labels))
    return End(peer=peer_of(workload, identity.namespace, labels), principal=identity.uri)


def _introduction(said: str) -> _Introduction:
    if not said or len(said) > _LONGEST_NODE:
        return _Introduction()
    try:
        return msgspec.json.decode(said, type=_Introduction)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as wrong:
        raise Malformed(f"the node's metadata is malformed: {wrong}") from wrong


def _labels(labels: tuple[bytes, ...]) -> Labels:
    try:
        pairs = [LabelPair.FromString(label) for label in labels]
    except DecodeError as wrong:
        raise Malformed(f"this is no label of a metric: {wrong}") from wrong
    return tuple((pair.name, pair.value) for pair in pairs)


def _counted(counter: bytes) -> float:
    """The value of a counter (``io.prometheus.client.Counter``), 0 where there is none."""
    if len(counter) != _DOUBLE.size:
        return 0.0
    value: float = _DOUBLE.unpack(counter)[0]
    return value if value < _MOST_COUNTED else 0.0
