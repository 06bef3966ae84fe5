"""Metrics that proxies stream (``envoy.service.metrics.v3``): what they counted since they last told.

Only the mesh's own statistics are read; Envoy's others travel along and are passed over by their names.
"""

import msgspec
from google.protobuf.message import DecodeError

from weft._pb.envoy.service.metrics.v3.metrics_service_pb2 import StreamMetricsMessage
from weft._pb.io.prometheus.client.metrics_pb2 import Histogram, Metric, MetricFamily
from weft.kit.clock import Clock
from weft.kit.value import labels_of
from weft.model.identity import Identity
from weft.model.reporting import STATISTICS, peer_of
from weft.model.series import End, series_of
from weft.observe.access_logs import Malformed, reporter_of
from weft.observe.increments import Increment, OnIncrements
from weft.observe.sinks import Receive, StreamSink

METHOD = "/envoy.service.metrics.v3.MetricsService/StreamMetrics"
_PREFIX = f"{STATISTICS}."
_HISTOGRAM = 4
_LONGEST_NODE = 65_536


class _Introduction(msgspec.Struct):
    workload: str = ""
    labels: tuple[tuple[str, str], ...] = ()


class Metrics:
    """Reads the streams and hands on what was counted."""

    def __init__(self, clock: Clock, on_increments: OnIncrements) -> None:
        self._clock = clock
        self._on_increments = on_increments
        self.messages = 0
        self.increments = 0

    def sink(self) -> StreamSink:
        """The method."""
        return StreamSink(method=METHOD, opened=self._opened)

    def _opened(self, identity: Identity) -> Receive:
        return _Stream(identity, self).receive

    def take(self, own: End, families: "list[MetricFamily]") -> None:
        """Hand on what is in a message."""
        found = [one for family in families for one in _increments(own, family)]
        self.messages += 1
        self.increments += len(found)
        if found:
            self._on_increments(self._clock.now(), found)


class _Stream:
    """One stream: the proxy that tells."""

    def __init__(self, identity: Identity, metrics: Metrics) -> None:
        self._identity = identity
        self._metrics = metrics
        self._own: End | None = None

    def receive(self, content: bytes) -> None:
        try:
            message = StreamMetricsMessage.FromString(content)
        except DecodeError as wrong:
            raise Malformed(f"this is no message of metrics: {wrong}") from wrong
        if self._own is None:
            self._own = _own(self._identity, message)
        self._metrics.take(self._own, [one for one in message.envoy_metrics if one.name.startswith(_PREFIX)])


def _own(identity: Identity, message: StreamMetricsMessage) -> End:
    """The proxy's side: its name and labels are what its node says, its namespace and principal its certificate."""
    node = message.identifier.node
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


def _increments(own: End, family: MetricFamily) -> "list[Increment]":
    found = []
    for metric in family.metric:
        known = series_of(own, family.name, tuple((label.name, label.value) for label in metric.label))
        increment = _increment(metric, family.type) if known else None
        if known and increment:
            found.append((*known, *increment))
    return found


def _increment(metric: Metric, kind: int) -> tuple[int, float, tuple[tuple[int, int], ...]] | None:
    if kind == _HISTOGRAM:
        histogram = metric.histogram
        count = histogram.sample_count
        return (count, histogram.sample_sum, _buckets(histogram)) if count else None
    value = metric.counter.value
    return (round(value), value, ()) if value > 0 else None


def _buckets(histogram: Histogram) -> tuple[tuple[int, int], ...]:
    """How many are in which bucket; those above every bound are in the one after the last.

    Few of the many buckets have something, and counts add up: a range whose ends are equal is not looked into.
    """
    counts = histogram.bucket
    found: list[tuple[int, int]] = []

    def look(first: int, last: int, before: int, until: int) -> None:
        """The buckets from ``first`` to ``last``, whose counts go from ``before`` to ``until``."""
        if before >= until:
            return
        if first == last:
            found.append((first, until - before))
            return
        middle = (first + last) // 2
        between = counts[middle].cumulative_count
        look(first, middle, before, between)
        look(middle + 1, last, between, until)

    if counts:
        look(0, len(counts) - 1, 0, counts[len(counts) - 1].cumulative_count)
    beyond = histogram.sample_count - (counts[len(counts) - 1].cumulative_count if counts else 0)
    return (*found, (len(counts), beyond)) if beyond > 0 else tuple(found)
