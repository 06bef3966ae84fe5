"""How a sidecar reports what it counts: to the control plane over the connection that it has, and to who scrapes it.

Times are counted in buckets fine enough for percentiles; those of Istio's metrics are among their bounds.
"""

from typing import Any

from weft.model.reporting import DESTINATION, MICROSECOND_BOUNDS, SOURCE, STATISTICS

FLUSH_SECONDS = 5
"""Measured: a flush of a small sidecar costs it 0.2 ms of CPU."""
_EVICTION_SECONDS = 3600
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
    """The bounds of the histograms of times; all others have Envoy's."""
    prefixes = [f"{STATISTICS}.{reporter}.http.duration." for reporter in (SOURCE, DESTINATION)]
    return [{"match": {"prefix": prefix}, "buckets": list(MICROSECOND_BOUNDS)} for prefix in prefixes]


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
    }
