"""Golden signals, counted in the proxy by its statistics access logger: calls, their times and sizes, connections.

Names and labels are short (``weft.model.reporting``); Istio's are made of them where they are read. What a peer can
choose is in few labels and cannot fill the proxy's memory: a scope takes so many statistics and no more.
"""

import re
from collections.abc import Sequence

from google.protobuf.wrappers_pb2 import UInt64Value

from weft._pb.envoy.config.accesslog.v3.accesslog_pb2 import AccessLog, AccessLogFilter, LogTypeFilter
from weft._pb.envoy.data.accesslog.v3.accesslog_pb2 import AccessLogType
from weft._pb.envoy.extensions.access_loggers.stats.v3.stats_pb2 import Config
from weft._pb.envoy.type.v3.scope_pb2 import Scope
from weft.compiler.telemetry.cuts import cuts
from weft.compiler.telemetry.messages import ANSWERED, SENT, format_of, where_counted
from weft.compiler.wire import number, packed
from weft.kit.memo import memo
from weft.model.reporting import ADDED, DESTINATION, LONGEST_PEER, REMOVED, ROUTE, SOURCE, STATISTICS, derived
from weft.model.telemetry import Counting

PEER_STATE = "weft.peer"
"""The filter state that has what a caller says of its workload."""
_MOST_COUNTERS, _MOST_HISTOGRAMS = 2000, 3500
"""Of each listener: measured, all of them together take 18 MB."""
_UNFIT = re.compile(r"[^a-zA-Z0-9_]")
_Labels = tuple[tuple[str, str], ...]
Overrides = tuple[Counting, ...]
"""What is counted otherwise than usual, each metric once."""
_CALL: _Labels = (
    ("code", "%RESPONSE_CODE%"),
    ("grpc", "%GRPC_STATUS_NUMBER%"),
    ("flags", "%RESPONSE_FLAGS%"),
)
_SIZED: _Labels = (("grpc", "%GRPC_STATUS_NUMBER%"),)
"""Sizes are not told apart by how calls ended: every label costs CPU for each call."""
_TO: _Labels = (
    ("peer", "%UPSTREAM_METADATA(istio:workload)%"),
    ("principal", "%UPSTREAM_PEER_URI_SAN%"),
    ("service", "%UPSTREAM_CLUSTER_RAW%"),
)
_ROUTED: _Labels = (*_TO[:-1], ("service", f"%UPSTREAM_CLUSTER_RAW%{ROUTE}%ROUTE_NAME%"))
"""The caller's side chooses the route; one label of two parts costs less than two."""
_TOOK = "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%"


def _from(host: str, *, calls: bool) -> _Labels:
    peer = f"%FILTER_STATE({PEER_STATE}:PLAIN):{LONGEST_PEER}%" if calls else "-"
    return (("peer", peer), ("principal", "%DOWNSTREAM_PEER_URI_SAN%"), ("service", host or "-"))


@memo(256)
def calls_out(counting: Overrides = ()) -> tuple[AccessLog, ...]:
    """The loggers of listeners that an application or a gateway's client calls through."""
    return _calls(SOURCE, _ROUTED, _TO, counting)


@memo(1024)
def calls_in(host: str, counting: Overrides = ()) -> tuple[AccessLog, ...]:
    """Those of a listener of peers; ``host`` is the service that it belongs to."""
    of = _from(host, calls=True)
    return _calls(DESTINATION, of, of, counting)


@memo(256)
def messages_out(counting: Overrides = ()) -> tuple[AccessLog, ...]:
    """As ``calls_out``, of the messages of gRPC calls; where none are counted, nothing is read."""
    return _messages(SOURCE, _TO, counting)


@memo(1024)
def messages_in(host: str, counting: Overrides = ()) -> tuple[AccessLog, ...]:
    """As ``calls_in``, of the messages of gRPC calls."""
    return _messages(DESTINATION, _from(host, calls=True), counting)


@memo(256)
def connections_out(counting: Overrides = ()) -> tuple[AccessLog, ...]:
    """As ``calls_out``, for bytes."""
    return _connections(SOURCE, _TO, counting)


@memo(1024)
def connections_in(host: str, counting: Overrides = ()) -> tuple[AccessLog, ...]:
    """As ``calls_in``, for bytes: their callers are known by their certificates alone."""
    return _connections(DESTINATION, _from(host, calls=False), counting)


def _calls(reporter: str, of: _Labels, sizes_of: _Labels, counting: Overrides) -> tuple[AccessLog, ...]:
    counted = _Counted(f"{reporter}.http", (*of, *_CALL), counting)
    counters = counted.counter("requests")
    sized = _Counted(f"{reporter}.http", (*sizes_of, *_SIZED), counting)
    histograms = [
        *map(_cut, counted.histogram("duration", Config.Histogram.Microseconds, _TOOK)),
        *sized.histogram("request_bytes", Config.Histogram.Bytes, "%BYTES_RECEIVED%"),
        *sized.histogram("response_bytes", Config.Histogram.Bytes, "%BYTES_SENT%"),
    ]
    return (_logger(counters, histograms),) if counters or histograms else ()


def _messages(reporter: str, of: _Labels, counting: Overrides) -> tuple[AccessLog, ...]:
    counted = _Counted(f"{reporter}.http", (*of, *_SIZED), counting)
    counters = [
        *counted.counter("request_messages", format_of(SENT)),
        *counted.counter("response_messages", format_of(ANSWERED)),
    ]
    if not counters:
        return ()
    logger = _logger(counters)
    logger.filter.CopyFrom(where_counted())
    return (logger,)


def _connections(reporter: str, of: _Labels, counting: Overrides) -> tuple[AccessLog, ...]:
    opening = _Counted(f"{reporter}.tcp", of, counting)
    closing = _Counted(f"{reporter}.tcp", (*of, ("flags", "%RESPONSE_FLAGS%")), counting)
    ended = [
        *closing.counter("closed"),
        *closing.counter("received", "%BYTES_RECEIVED%"),
        *closing.counter("sent", "%BYTES_SENT%"),
    ]
    found = ((opening.counter("opened"), AccessLogType.TcpUpstreamConnected), (ended, AccessLogType.TcpConnectionEnd))
    return tuple(_when(_logger(counters), kind) for counters, kind in found if counters)


class _Counted:
    """What a logger counts, and by which labels; what is off is left out."""

    def __init__(self, prefix: str, labels: _Labels, counting: Overrides) -> None:
        self._prefix = prefix
        self._reporter = prefix.partition(".")[0]
        self._labels = labels
        self._counting = {one.metric: one for one in counting}

    def counter(self, name: str, value: str = "") -> list[Config.Counter]:
        """One of calls, or of the amounts in a format."""
        return [
            Config.Counter(stat=stat, value_format=value) if value else Config.Counter(stat=stat, value_fixed=_ONE)
            for stat in self._stat(name)
        ]

    def histogram(self, name: str, unit: Config.Histogram.Unit, value: str) -> list[Config.Histogram]:
        """One of the amounts in a format."""
        return [Config.Histogram(stat=stat, unit=unit, value_format=value) for stat in self._stat(name)]

    def _stat(self, name: str) -> list[Config.Stat]:
        override = self._counting.get(name)
        if override is not None and override.off:
            return []
        labels = _overridden(self._labels, override, self._reporter) if override else self._labels
        tags = [Config.Tag(name=key, value_format=value) for key, value in labels]
        return [Config.Stat(name=f"{self._prefix}.{name}", tags=tags)]


def _overridden(labels: _Labels, override: Counting, reporter: str) -> _Labels:
    """Labels that nobody reads any more are gone; of others it is said what is left out where they are read."""
    gone = set(override.removed)
    left = tuple((name, value) for name, value in labels if not gone.issuperset(derived(name, reporter)))
    added = tuple((f"{ADDED}{_UNFIT.sub('_', name)}", f"%CEL({text})%") for name, text in override.tags)
    removed = ((REMOVED, ";".join(override.removed)),) if override.removed else ()
    return (*left, *added, *removed)


def _logger(counters: Sequence[Config.Counter], histograms: Sequence[Config.Histogram] = ()) -> AccessLog:
    """All loggers of a proxy share one scope and its limits; what nobody touched for long leaves it."""
    scope = Scope(
        prefix=STATISTICS,
        max_counters=number(_MOST_COUNTERS),
        max_histograms=number(_MOST_HISTOGRAMS),
        enable_eviction=True,
    )
    config = Config(stats_scope=scope, counters=counters, histograms=histograms)
    return AccessLog(name="envoy.access_loggers.stats", typed_config=packed(config))


def _cut(times: Config.Histogram) -> Config.Histogram:
    """A histogram of times as several, which are finer together."""
    stat = Config.Stat(name=times.stat.name, tags=[*cuts(times.value_format), *times.stat.tags])
    return Config.Histogram(stat=stat, unit=times.unit, value_format=times.value_format)


def _when(logger: AccessLog, kind: AccessLogType) -> AccessLog:
    logger.filter.CopyFrom(AccessLogFilter(log_type_filter=LogTypeFilter(types=[kind])))
    return logger


_ONE = UInt64Value(value=1)
