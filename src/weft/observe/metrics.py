"""Metrics that proxies stream (``envoy.service.metrics.v3``): what they counted since they last told.

Only the mesh's own statistics are read; Envoy's others travel along and are passed over by their names. Which series a
statistic is of is worked out when it is first seen.
"""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise
from operator import attrgetter
from typing import Any

import msgspec
from google.protobuf.message import DecodeError

from weft._pb.envoy.service.metrics.v3.metrics_service_pb2 import StreamMetricsMessage
from weft._pb.io.prometheus.client.metrics_pb2 import LabelPair
from weft.kit.clock import Clock
from weft.kit.value import Labels, labels_of
from weft.model.cells import cell_of, middle_of
from weft.model.cuts import CELLS, DIGITS, SLICE
from weft.model.identity import Identity
from weft.model.reporting import MILLISECOND_BOUNDS, STATISTICS, peer_of
from weft.model.series import End, Series, series_of
from weft.observe.access_logs import Malformed, reporter_of
from weft.observe.increments import Increment, OnIncrements
from weft.observe.report_schema import REPORT
from weft.observe.sinks import Receive, StreamSink

METHOD = "/envoy.service.metrics.v3.MetricsService/StreamMetrics"
_PREFIX = f"{STATISTICS}."
_LONGEST_NODE = 65_536
_AT_ONCE = 200
"""Statistics that are read before others have their turn."""
_MOST_KINDS = 65_536
"""Statistics of all proxies whose series are remembered."""
_Kind = tuple[Series, str] | None
_cumulative = attrgetter("cumulative")


class _Cells:
    """The cells of a histogram's buckets, and what stands for each: milliseconds or bytes."""

    def __init__(self, cells: tuple[int, ...]) -> None:
        self.cells = cells
        self.middles = tuple(middle_of(cell) for cell in cells)


def _label(name: str, value: str) -> bytes:
    return LabelPair(name=name, value=value).SerializeToString()


_CUTS = {(_label(DIGITS, digits), _label(SLICE, slice_)): _Cells(cells) for (digits, slice_), cells in CELLS.items()}
_ENDS = (0.0, *MILLISECOND_BOUNDS, MILLISECOND_BOUNDS[-1] * 2)
_SIZES = _Cells((cell_of(0.0), *(cell_of((low + high) / 2) for low, high in pairwise(_ENDS[1:]))))
"""Of sizes nothing finer is known than Istio's bounds: they stand at the middle."""


class _Introduction(msgspec.Struct):
    workload: str = ""
    labels: tuple[tuple[str, str], ...] = ()


class Metrics:
    """Reads the streams and hands on what was counted."""

    def __init__(self, clock: Clock, on_increments: OnIncrements) -> None:
        self._clock = clock
        self._on_increments = on_increments
        self._kinds: dict[int, _Kind] = {}
        self.messages = 0
        self.increments = 0

    def sink(self) -> StreamSink:
        """The method."""
        return StreamSink(method=METHOD, opened=self._opened)

    def _opened(self, identity: Identity) -> Receive:
        return _Stream(identity, self).receive

    def take(self, own: End, report: Any) -> Iterator[None]:
        """Hand on what is in a message, a part at a time."""
        self.messages += 1
        found: list[Increment] = []
        for number, family in enumerate(report.families, start=1):
            if family.name.startswith(_PREFIX):
                self._read(own, family, found)
            if number % _AT_ONCE == 0:
                self._told(found)
                found = []
                yield
        self._told(found)

    def _told(self, found: list[Increment]) -> None:
        self.increments += len(found)
        if found:
            self._on_increments(self._clock.now(), found)

    def _read(self, own: End, family: Any, found: list[Increment]) -> None:
        name = family.name
        for metric in family.metric:
            labels = tuple(metric.label)
            cells = _CUTS.get(labels[:2], _SIZES)
            if cells is not _SIZES:
                labels = labels[2:]
            kind = self._kind(own, name, labels)
            if kind is None:
                continue
            if metric.HasField("histogram"):
                count, total, filled = _distribution(metric.histogram, cells)
                if count:
                    found.append((*kind, count, total, filled))
            elif (value := metric.counter.value) > 0:
                found.append((*kind, round(value), value, ()))

    def _kind(self, own: End, name: str, labels: tuple[bytes, ...]) -> _Kind:
        """The series of a statistic, remembered by a hash of 64 bits, for the statistics of a mesh are many."""
        key = hash((own, name, labels))
        try:
            return self._kinds[key]
        except KeyError:
            if len(self._kinds) >= _MOST_KINDS:
                self._kinds.clear()
        kind = self._kinds[key] = series_of(own, name, _labels(labels))
        return kind


class _Stream:
    """One stream: the proxy that tells."""

    def __init__(self, identity: Identity, metrics: Metrics) -> None:
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


def _distribution(histogram: Any, cells: _Cells) -> tuple[int, float, tuple[tuple[int, int], ...]]:
    """How many values, their sum, and how many in which cell; what is above every bound is in the last cell.

    Counts add up. Where few buckets of many have something, those between them are not looked into.
    """
    count = histogram.count
    if not count:
        return 0, 0.0, ()
    buckets = histogram.bucket
    known = cells.cells
    last, found, total, before = min(len(buckets), len(known)), [], 0.0, 0
    places: Any = range(last) if count * 8 > last else None
    place = 0
    while before < count:
        if places is None:
            place = bisect_right(buckets, before, place, last, key=_cumulative)
        if place >= last:
            until, cell = count, min(place, len(known) - 1)
        else:
            until, cell = buckets[place].cumulative, place
        if until > before:
            found.append((known[cell], until - before))
            total += (until - before) * cells.middles[cell]
            before = until
        place += 1
    return count, total, tuple(found)
