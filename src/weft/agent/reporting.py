"""How a sidecar reports what it counts: to the control plane over the connection that it has, and to who scrapes it.

Times are counted within 1 % (``weft.model.cuts``).
"""

from typing import Any

from weft.model.cuts import COUNTS_OF_DIGITS, DIGITS, GROUPS, OTHER, SLICE, bounds_of
from weft.model.reporting import DESTINATION, SOURCE, STATISTICS

FLUSH_SECONDS = 5
"""Measured: a flush of a small sidecar costs it 0.2 ms of CPU."""
_EVICTION_SECONDS = 3600
_FEW = 8
_BATCH = 200
"""How many statistics are in one message, so that no message holds up the control plane."""
_TYPES = "type.googleapis.com/envoy"

Json = dict[str, Any]


def reporting() -> Json:
    """The part of a bootstrap that reports."""
    return {
        "stats_sinks": [{"name": "envoy.stat_sinks.metrics_service", "typed_config": _sink()}],
        "stats_flush_interval": f"{FLUSH_SECONDS}s",
        "stats_eviction_interval": f"{_EVICTION_SECONDS}s",
    }


def buckets() -> list[Json]:
    """The bounds of the histograms of times, which are many and small; all others have Envoy's."""
    name = rf"{STATISTICS}\.({SOURCE}|{DESTINATION})\.http\.duration\.{DIGITS}"
    return [
        _settings(rf"{name}\.{OTHER}\..*", bounds_of(OTHER, OTHER)),
        *(
            _settings(rf"{name}\.{digits}\.{SLICE}\.[{slices}]\..*", bounds_of(digits, slices[0]))
            for digits in COUNTS_OF_DIGITS
            for slices in GROUPS
        ),
    ]


def _settings(name: str, bounds: tuple[float, ...]) -> Json:
    """``bins``: how much memory Envoy reserves for each, a hundred bins if nothing says it."""
    return {"match": {"safe_regex": {"regex": name}}, "buckets": list(bounds), "bins": _FEW}


def counted() -> list[Json]:
    """What is counted of the mesh's own, for a list of what is counted at all."""
    return [{"prefix": f"{STATISTICS}."}]


def _sink() -> Json:
    """Counters since the last report, labels apart from names."""
    return {
        "@type": f"{_TYPES}.config.metrics.v3.MetricsServiceConfig",
        "transport_api_version": "V3",
        "grpc_service": {"envoy_grpc": {"cluster_name": "xds"}},
        "report_counters_as_deltas": True,
        "emit_tags_as_labels": True,
        "histogram_emit_mode": "HISTOGRAM",
        "batch_size": _BATCH,
    }
