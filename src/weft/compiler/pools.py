"""Connections to a destination: what is spoken, how many there may be, and which endpoints are set aside."""

from google.protobuf.any_pb2 import Any
from google.protobuf.wrappers_pb2 import UInt32Value

from weft._pb.envoy.config.cluster.v3.circuit_breaker_pb2 import CircuitBreakers
from weft._pb.envoy.config.cluster.v3.cluster_pb2 import UpstreamConnectionOptions
from weft._pb.envoy.config.cluster.v3.outlier_detection_pb2 import OutlierDetection as EnvoyOutlierDetection
from weft._pb.envoy.config.common.matcher.v3.matcher_pb2 import HttpHeadersMatch, MatchPredicate
from weft._pb.envoy.config.core.v3.address_pb2 import TcpKeepalive
from weft._pb.envoy.config.core.v3.protocol_pb2 import (
    Http1ProtocolOptions,
    Http2ProtocolOptions,
    KeepaliveSettings,
    UpstreamHttpProtocolOptions,
)
from weft._pb.envoy.config.core.v3.protocol_pb2 import HttpProtocolOptions as CommonOptions
from weft._pb.envoy.config.route.v3.route_components_pb2 import HeaderMatcher
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from weft._pb.envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions
from weft._pb.envoy.type.matcher.v3.string_pb2 import StringMatcher
from weft.compiler.wire import maybe_milliseconds, maybe_number, milliseconds, number, packed
from weft.kit.memo import memo
from weft.model.traffic import ConnectionPool, Keepalive, OutlierDetection, Pings, RetryBudget

_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_UNLIMITED = 2**32 - 1
_PATIENCE = 20_000
_REFUSALS, _LEFT_OUT = 2, 10_000
"""In a row, fewer than a connection is tried; and milliseconds, about as long as what is gone stays an endpoint."""


def circuit_breakers(pool: ConnectionPool, budget: RetryBudget | None = None) -> CircuitBreakers:
    """Istio's limits: none, unless the pool says so (Envoy's own are 1024); a budget replaces the limit of retries."""

    def limit(value: int | None) -> int:
        return value or _UNLIMITED

    thresholds = CircuitBreakers.Thresholds(
        max_connections=number(limit(pool.max_connections)),
        max_pending_requests=number(limit(pool.http1_max_pending_requests)),
        max_requests=number(limit(pool.http2_max_requests)),
        max_retries=number(_UNLIMITED if pool.max_retries is None else pool.max_retries),
    )
    if budget is not None:
        thresholds.retry_budget.budget_percent.value = budget.percent
        thresholds.retry_budget.min_retry_concurrency.value = budget.least
        if budget.interval is not None:
            thresholds.retry_budget.budget_interval.CopyFrom(milliseconds(budget.interval))
    return CircuitBreakers(thresholds=[thresholds])


def protocol_options(
    pool: ConnectionPool,
    *,
    http2: bool,
    names: UpstreamHttpProtocolOptions | None = None,
    errors: tuple[int, ...] = (),
    filters: tuple[HttpFilter, ...] = (),
) -> dict[str, Any]:
    """The cluster's HTTP options; none where Envoy's defaults (HTTP/1.1) hold. ``names``: what requests say of TLS;
    ``errors``: statuses that count as failures of an endpoint; ``filters``: those of its requests."""
    http1_options = Http1ProtocolOptions()
    http2_options = Http2ProtocolOptions(
        allow_connect=True,
        max_concurrent_streams=maybe_number(pool.max_concurrent_streams),
        connection_keepalive=_keepalive(pool.pings),
    )
    common = CommonOptions(
        idle_timeout=maybe_milliseconds(pool.http_idle_timeout),
        max_requests_per_connection=maybe_number(pool.max_requests_per_connection or None),
        max_connection_duration=maybe_milliseconds(pool.max_connection_duration),
    )
    options = HttpProtocolOptions(
        common_http_protocol_options=common if common.ByteSize() else None,
        upstream_http_protocol_options=names,
        http_filters=filters,
    )
    if errors:
        options.outlier_detection.error_matcher.CopyFrom(_one_of(errors))
    if pool.use_client_protocol:
        options.use_downstream_protocol_config.http_protocol_options.CopyFrom(http1_options)
        options.use_downstream_protocol_config.http2_protocol_options.CopyFrom(http2_options)
    elif http2:
        options.explicit_http_config.http2_protocol_options.CopyFrom(http2_options)
    elif options.ByteSize():
        options.explicit_http_config.http_protocol_options.CopyFrom(http1_options)
    else:
        return {}
    return {_OPTIONS: packed(options)}


def _one_of(statuses: tuple[int, ...]) -> MatchPredicate:
    """Envoy takes an alternative of two and more only."""
    matches = [_has_status(status) for status in statuses]
    return matches[0] if len(matches) == 1 else MatchPredicate(or_match=MatchPredicate.MatchSet(rules=matches))


def _has_status(status: int) -> MatchPredicate:
    header = HeaderMatcher(name=":status", string_match=StringMatcher(exact=str(status)))
    return MatchPredicate(http_response_headers_match=HttpHeadersMatch(headers=[header]))


def _keepalive(pings: Pings | None) -> KeepaliveSettings | None:
    """Envoy wants a limit for answers: as long as the time between pings where none is set."""
    if pings is None:
        return None
    timeout = pings.timeout if pings.timeout is not None else pings.interval
    return KeepaliveSettings(
        interval=maybe_milliseconds(pings.interval), timeout=milliseconds(_PATIENCE if timeout is None else timeout)
    )


def connection_options(keepalive: Keepalive | None) -> UpstreamConnectionOptions | None:
    """TCP keep-alive, which Envoy counts in seconds."""
    if keepalive is None:
        return None
    return UpstreamConnectionOptions(
        tcp_keepalive=TcpKeepalive(
            keepalive_probes=maybe_number(keepalive.probes),
            keepalive_time=maybe_number(_seconds(keepalive.time)),
            keepalive_interval=maybe_number(_seconds(keepalive.interval)),
        )
    )


def _seconds(amount: int | None) -> int | None:
    return None if amount is None else max(1, round(amount / 1000))


def outlier_detection(outliers: OutlierDetection) -> EnvoyOutlierDetection:
    """Istio's detectors; ejection by success rate stays off, and a detector of 0 enforces nothing."""
    return EnvoyOutlierDetection(
        consecutive_5xx=maybe_number(outliers.consecutive_5xx),
        enforcing_consecutive_5xx=_enforced(outliers.consecutive_5xx),
        consecutive_gateway_failure=maybe_number(outliers.consecutive_gateway_errors),
        enforcing_consecutive_gateway_failure=_enforced(outliers.consecutive_gateway_errors),
        split_external_local_origin_errors=outliers.split_local_origin,
        consecutive_local_origin_failure=maybe_number(outliers.consecutive_local_origin_failures),
        enforcing_consecutive_local_origin_failure=_enforced(outliers.consecutive_local_origin_failures),
        interval=maybe_milliseconds(outliers.interval or None),
        base_ejection_time=maybe_milliseconds(outliers.base_ejection_time or None),
        max_ejection_percent=maybe_number(outliers.max_ejection_percent or None),
        enforcing_success_rate=number(0),
        enforcing_local_origin_success_rate=number(0) if outliers.split_local_origin else None,
    )


@memo(1)
def refusing() -> EnvoyOutlierDetection:
    """For connections whose destination nobody says more of: an endpoint that took none, twice in a row, is left out
    for a while, half of them at most.

    Envoy tries a connection again at whatever its algorithm chooses, so maybe at the very endpoint that refused it; the
    least busy one is who refuses. What endpoints do with connections that they have taken is not looked at.
    """
    return EnvoyOutlierDetection(
        split_external_local_origin_errors=True,
        consecutive_local_origin_failure=number(_REFUSALS),
        enforcing_consecutive_local_origin_failure=number(100),
        enforcing_consecutive_5xx=number(0),
        enforcing_consecutive_gateway_failure=number(0),
        enforcing_success_rate=number(0),
        enforcing_local_origin_success_rate=number(0),
        interval=milliseconds(1000),
        base_ejection_time=milliseconds(_LEFT_OUT),
        max_ejection_percent=number(50),
    )


def _enforced(detector: int | None) -> UInt32Value | None:
    return None if detector is None else number(100 if detector else 0)
