"""What Istio says of a DestinationRule."""

from weft.dialects.exports import check_export_to
from weft.dialects.findings import Findings, Here
from weft.dialects.istio.checks.common import (
    check_duration,
    check_host,
    check_labels,
    check_policy_selector,
    check_port,
    check_subset_name,
)
from weft.dialects.istio.checks.load_balancing import check_load_balancer
from weft.dialects.istio.checks.tls import check_tls
from weft.dialects.istio.types import destination_rule as wire
from weft.dialects.metadata import ObjectMeta, check_metadata
from weft.dialects.syntax import fault_in_domain, is_ip


def check_destination_rule(spec: wire.DestinationRule, metadata: ObjectMeta) -> Findings:
    """Everything beyond the shape (Istio: ``ValidateDestinationRule``)."""
    here = Here(path=("spec",))
    selective = spec.workload_selector is not None
    yield from check_metadata(metadata)
    if not spec.host:
        yield here.error("W0105", "the destination is missing", "set host", at_key=True)
    else:
        yield from check_host(here.at("host"), spec.host)
    yield from _check_policy(here.at("trafficPolicy"), spec.traffic_policy)
    yield from _check_subsets(here.at("subsets"), spec.subsets)
    yield from check_export_to(here.at("exportTo"), spec.export_to, metadata.namespace or "", selective=selective)
    yield from check_policy_selector(here.at("workloadSelector"), spec.workload_selector)


def _check_subsets(here: Here, subsets: tuple[wire.Subset, ...]) -> Findings:
    names: set[str] = set()
    for index, subset in enumerate(subsets):
        place = here.at(index)
        if not subset.name:
            yield place.error("W0105", "the subset has no name", "set name", at_key=True)
        else:
            yield from check_subset_name(place.at("name"), subset.name)
        if subset.name in names:
            yield place.at("name").warning("W0117", f'the subset "{subset.name}" is defined twice; the first counts')
        names.add(subset.name or "")
        yield from check_labels(place.at("labels"), subset.labels)
        yield from _check_policy(place.at("trafficPolicy"), subset.traffic_policy)


def _check_policy(here: Here, policy: wire.TrafficPolicy | None) -> Findings:
    if policy is None:
        return
    if not policy.model_fields_set:
        yield here.error("W0105", "the traffic policy is empty", "set one of its fields, or remove it", at_key=True)
    yield from _check_blocks(here, policy)
    if policy.tunnel is not None:
        yield from _check_tunnel(here.at("tunnel"), policy.tunnel)
    if policy.retry_budget is not None:
        yield from check_duration(here.at("retryBudget", "budgetInterval"), policy.retry_budget.budget_interval)
    for index, settings in enumerate(policy.port_level_settings):
        yield from _check_port_policy(here.at("portLevelSettings", index), settings)


def _check_tunnel(here: Here, tunnel: wire.Tunnel) -> Findings:
    """Istio's ``validateTunnelSettings``."""
    if tunnel.protocol not in (None, "", "CONNECT", "POST"):
        message = f'"{tunnel.protocol[:80]}" cannot carry a tunnel'
        yield here.at("protocol").error("W0102", message, "use CONNECT or POST")
    if not is_ip(tunnel.target_host) and (fault := fault_in_domain(tunnel.target_host)):
        yield here.at("targetHost").error("W0107", fault)
    yield from check_port(here.at("targetPort"), tunnel.target_port)


def _check_port_policy(here: Here, settings: wire.PortTrafficPolicy) -> Findings:
    if settings.port is None or settings.port.number is None:
        yield here.error("W0105", "the settings name no port", "set port.number", at_key=True)
    else:
        yield from check_port(here.at("port", "number"), settings.port.number)
    if not settings.model_fields_set - {"port"}:
        yield here.error("W0105", "the port has no settings", "set one of its fields", at_key=True)
    yield from _check_blocks(here, settings)


def _check_blocks(here: Here, policy: wire.TrafficPolicy | wire.PortTrafficPolicy) -> Findings:
    yield from check_outliers(here.at("outlierDetection"), policy.outlier_detection)
    yield from check_connection_pool(here.at("connectionPool"), policy.connection_pool)
    ejects = policy.outlier_detection is not None
    yield from check_load_balancer(here.at("loadBalancer"), policy.load_balancer, ejects=ejects)
    yield from check_tls(here.at("tls"), policy.tls)


def check_outliers(here: Here, outliers: wire.OutlierDetection | None) -> Findings:
    """Istio's ``validateOutlierDetection``."""
    if outliers is None:
        return
    yield from check_duration(here.at("interval"), outliers.interval)
    yield from check_duration(here.at("baseEjectionTime"), outliers.base_ejection_time)
    if outliers.consecutive_errors is not None:
        advice = "use consecutive5xxErrors or consecutiveGatewayErrors"
        yield here.at("consecutiveErrors").warning(
            "W0119", "consecutiveErrors is deprecated and does nothing", advice, at_key=True
        )
    if not outliers.split_external_local_origin_errors and outliers.consecutive_local_origin_failures:
        advice = "set splitExternalLocalOriginErrors: true"
        place = here.at("consecutiveLocalOriginFailures")
        yield place.error("W0106", "errors of the connection are not counted apart", advice, at_key=True)
    percents = {
        "maxEjectionPercent": outliers.max_ejection_percent,
        "minHealthPercent": outliers.min_health_percent,
    }
    for field, percent in percents.items():
        if percent is not None and not 0 <= percent <= 100:
            yield here.at(field).error("W0111", f"{percent} is not a percentage", "use 0 to 100")


def check_connection_pool(here: Here, pool: wire.ConnectionPool | None) -> Findings:
    """Istio's ``validateConnectionPool``."""
    if pool is None:
        return
    if pool.tcp is None and pool.http is None:
        yield here.error("W0105", "the connection pool is empty", "set tcp or http", at_key=True)
    if pool.http is not None:
        yield from _check_http_pool(here.at("http"), pool.http)
    if pool.tcp is not None:
        yield from _check_tcp_pool(here.at("tcp"), pool.tcp)


def _check_http_pool(here: Here, http: wire.HttpSettings) -> Findings:
    limits = {
        "http1MaxPendingRequests": http.http1_max_pending_requests,
        "http2MaxRequests": http.http2_max_requests,
        "maxRequestsPerConnection": http.max_requests_per_connection,
        "maxRetries": http.max_retries,
        "maxConcurrentStreams": http.max_concurrent_streams,
    }
    yield from _check_limits(here, limits)
    yield from check_duration(here.at("idleTimeout"), http.idle_timeout)
    if http.h2_upgrade_policy == "UPGRADE" and http.use_client_protocol:
        advice = "remove one of them"
        place = here.at("useClientProtocol")
        yield place.error("W0106", "the protocol cannot be both kept and upgraded", advice, at_key=True)
    if http.http2_keep_alive is not None:
        place = here.at("http2KeepAlive")
        yield from check_duration(place.at("interval"), http.http2_keep_alive.interval)
        yield from check_duration(place.at("timeout"), http.http2_keep_alive.timeout)


def _check_tcp_pool(here: Here, tcp: wire.TcpSettings) -> Findings:
    yield from _check_limits(here, {"maxConnections": tcp.max_connections})
    yield from check_duration(here.at("connectTimeout"), tcp.connect_timeout)
    yield from check_duration(here.at("maxConnectionDuration"), tcp.max_connection_duration)
    if tcp.tcp_keepalive is not None:
        place = here.at("tcpKeepalive")
        yield from check_duration(place.at("time"), tcp.tcp_keepalive.time)
        yield from check_duration(place.at("interval"), tcp.tcp_keepalive.interval)


def _check_limits(here: Here, limits: dict[str, int | None]) -> Findings:
    for field, limit in limits.items():
        if limit is not None and limit < 0:
            yield here.at(field).error("W0111", f"{field} cannot be negative", "use 0, or leave it out, for no limit")
