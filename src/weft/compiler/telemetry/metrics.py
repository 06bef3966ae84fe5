"""Golden signals, counted in the proxy by its statistics access logger: calls, their times and sizes, connections.

Names and labels are short (``weft.model.reporting``); Istio's are made of them where they are read. What a peer can
choose is in few labels and cannot fill the proxy's memory: a scope takes so many statistics and no more.
"""

from collections.abc import Sequence

from google.protobuf.wrappers_pb2 import UInt64Value

from weft._pb.envoy.config.accesslog.v3.accesslog_pb2 import AccessLog, AccessLogFilter, LogTypeFilter
from weft._pb.envoy.data.accesslog.v3.accesslog_pb2 import AccessLogType
from weft._pb.envoy.extensions.access_loggers.stats.v3.stats_pb2 import Config
from weft._pb.envoy.type.v3.scope_pb2 import Scope
from weft.compiler.telemetry.cuts import cuts
from weft.compiler.wire import number, packed
from weft.kit.memo import memo
from weft.model.reporting import DESTINATION, LONGEST_PEER, SOURCE, STATISTICS

PEER_STATE = "weft.peer"
"""The filter state that has what a caller says of its workload."""
_MOST_COUNTERS, _MOST_HISTOGRAMS = 2000, 1500
_Labels = tuple[tuple[str, str], ...]
_CALL: _Labels = (
    ("code", "%RESPONSE_CODE%"),
    ("grpc", "%GRPC_STATUS_NUMBER%"),
    ("flags", "%RESPONSE_FLAGS%"),
)
_TO: _Labels = (
    ("peer", "%UPSTREAM_METADATA(istio:workload)%"),
    ("principal", "%UPSTREAM_PEER_URI_SAN%"),
    ("service", "%UPSTREAM_CLUSTER_RAW%"),
)
_TOOK = "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%"


def _from(host: str, *, calls: bool) -> _Labels:
    peer = f"%FILTER_STATE({PEER_STATE}:PLAIN):{LONGEST_PEER}%" if calls else "-"
    return (("peer", peer), ("principal", "%DOWNSTREAM_PEER_URI_SAN%"), ("service", host or "-"))


@memo(1)
def calls_out() -> tuple[AccessLog, ...]:
    """The loggers of listeners that an application or a gateway's client calls through."""
    return _calls(SOURCE, _TO)


@memo(1024)
def calls_in(host: str) -> tuple[AccessLog, ...]:
    """Those of a listener of peers; ``host`` is the service that it belongs to."""
    return _calls(DESTINATION, _from(host, calls=True))


@memo(1)
def connections_out() -> tuple[AccessLog, ...]:
    """As ``calls_out``, for bytes."""
    return _connections(SOURCE, _TO)


@memo(1024)
def connections_in(host: str) -> tuple[AccessLog, ...]:
    """As ``calls_in``, for bytes: their callers are known by their certificates alone."""
    return _connections(DESTINATION, _from(host, calls=False))


def _calls(reporter: str, of: _Labels) -> tuple[AccessLog, ...]:
    labels, name = (*of, *_CALL), f"{reporter}.http"
    histograms = [
        _cut(_histogram(f"{name}.duration", labels, Config.Histogram.Microseconds, _TOOK)),
        _histogram(f"{name}.request_bytes", labels, Config.Histogram.Bytes, "%BYTES_RECEIVED%"),
        _histogram(f"{name}.response_bytes", labels, Config.Histogram.Bytes, "%BYTES_SENT%"),
    ]
    return (_logger([_counter(f"{name}.requests", labels)], histograms),)


def _connections(reporter: str, of: _Labels) -> tuple[AccessLog, ...]:
    labels, name = (*of, ("flags", "%RESPONSE_FLAGS%")), f"{reporter}.tcp"
    opened = _logger([_counter(f"{name}.opened", of)])
    closed = _logger(
        [
            _counter(f"{name}.closed", labels),
            _counter(f"{name}.received", labels, "%BYTES_RECEIVED%"),
            _counter(f"{name}.sent", labels, "%BYTES_SENT%"),
        ]
    )
    opened.filter.CopyFrom(_when(AccessLogType.TcpUpstreamConnected))
    closed.filter.CopyFrom(_when(AccessLogType.TcpConnectionEnd))
    return (opened, closed)


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


def _when(*kinds: AccessLogType) -> AccessLogFilter:
    return AccessLogFilter(log_type_filter=LogTypeFilter(types=list(kinds)))


def _counter(name: str, labels: _Labels, value: str = "") -> Config.Counter:
    stat = _stat(name, labels)
    return Config.Counter(stat=stat, value_format=value) if value else Config.Counter(stat=stat, value_fixed=_ONE)


def _histogram(name: str, labels: _Labels, unit: Config.Histogram.Unit, value: str) -> Config.Histogram:
    return Config.Histogram(stat=_stat(name, labels), unit=unit, value_format=value)


def _cut(times: Config.Histogram) -> Config.Histogram:
    """A histogram of times as several, which are finer together."""
    stat = Config.Stat(name=times.stat.name, tags=[*cuts(times.value_format), *times.stat.tags])
    return Config.Histogram(stat=stat, unit=times.unit, value_format=times.value_format)


def _stat(name: str, labels: _Labels) -> Config.Stat:
    return Config.Stat(name=name, tags=[Config.Tag(name=key, value_format=value) for key, value in labels])


_ONE = UInt64Value(value=1)
