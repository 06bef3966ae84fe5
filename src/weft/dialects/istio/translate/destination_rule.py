"""A DestinationRule in the model's words."""

from weft.dialects.fragment import Fragment
from weft.dialects.istio.translate.load_balancing import load_balancer
from weft.dialects.istio.types import destination_rule as wire
from weft.dialects.served import Subject
from weft.dialects.syntax import milliseconds, qualify
from weft.kit.value import labels_of
from weft.model import traffic
from weft.model.credential import Credential

_UPGRADE = {"UPGRADE": True, "DO_NOT_UPGRADE": False}


def translate(spec: wire.DestinationRule, subject: Subject) -> Fragment:
    """One policy; ``link`` merges it with others of the same host and namespace."""
    selector = spec.workload_selector.match_labels if spec.workload_selector else {}
    everyone = not selector
    policy = traffic.DestinationPolicy(
        origin=subject.origin,
        namespace=subject.namespace,
        host=qualify(spec.host or "", subject.namespace, subject.settings.domain_suffix),
        policy=_policy(spec.traffic_policy, everyone),
        ports=_ports(spec.traffic_policy, everyone),
        subsets=tuple(_subset(subset, everyone) for subset in spec.subsets),
        export_to=(".",) if selector else spec.export_to or subject.settings.policy_export_to,
        workload_selector=labels_of(selector),
    )
    return Fragment(key=subject.key, policies=(policy,))


def _subset(subset: wire.Subset, everyone: bool) -> traffic.Subset:
    return traffic.Subset(
        name=subset.name or "",
        labels=labels_of(subset.labels),
        policy=_policy(subset.traffic_policy, everyone),
        ports=_ports(subset.traffic_policy, everyone),
    )


def _policy(policy: wire.TrafficPolicy | wire.PortTrafficPolicy | None, everyone: bool) -> traffic.TrafficPolicy:
    """``everyone``: the rule has no selector, and so sidecars are not given what it names (Istio)."""
    if policy is None:
        return traffic.TrafficPolicy()
    return traffic.TrafficPolicy(
        load_balancer=load_balancer(policy.load_balancer),
        connection_pool=connection_pool(policy.connection_pool),
        outlier_detection=outliers_of(policy.outlier_detection),
        tls=_tls(policy.tls, everyone),
        retry_budget=_budget(policy) if isinstance(policy, wire.TrafficPolicy) else None,
        proxy_protocol=_header(policy) if isinstance(policy, wire.TrafficPolicy) else None,
        tunnel=_tunnel(policy) if isinstance(policy, wire.TrafficPolicy) else None,
    )


def _budget(policy: wire.TrafficPolicy) -> traffic.RetryBudget | None:
    budget = policy.retry_budget
    if budget is None:
        return None
    return traffic.RetryBudget(
        percent=20.0 if budget.percent is None else budget.percent,
        least=3 if budget.min_retry_concurrency is None else budget.min_retry_concurrency,
        interval=milliseconds(budget.budget_interval),
    )


def _tunnel(policy: wire.TrafficPolicy) -> traffic.Tunnel | None:
    tunnel = policy.tunnel
    if tunnel is None:
        return None
    return traffic.Tunnel(host=tunnel.target_host, port=tunnel.target_port, post=tunnel.protocol == "POST")


def _header(policy: wire.TrafficPolicy) -> traffic.ProxyProtocol | None:
    header = policy.proxy_protocol
    return None if header is None else traffic.ProxyProtocol(header.version or "V1")


def _tls(tls: wire.ClientTls | None, everyone: bool) -> traffic.DestinationTls | None:
    """Files and secrets count in the modes SIMPLE and MUTUAL, a certificate of the caller in MUTUAL alone."""
    if tls is not None and tls.mode == "ISTIO_MUTUAL" and (tls.sni or tls.subject_alt_names):
        return traffic.MeshMutual(sni=tls.sni or "", subject_alt_names=tls.subject_alt_names)
    if tls is None or tls.mode not in ("SIMPLE", "MUTUAL"):
        return None if tls is None else traffic.TlsMode(tls.mode or "DISABLE")
    mutual = tls.mode == "MUTUAL"
    credential = Credential(name=tls.credential_name, gateways_only=everyone) if tls.credential_name else None
    return traffic.ClientTls(
        authorities=tls.ca_certificates or "",
        revoked=tls.ca_crl or "",
        certificate=(tls.client_certificate or "") if mutual else "",
        key=(tls.private_key or "") if mutual else "",
        sni=tls.sni or "",
        subject_alt_names=tls.subject_alt_names,
        verified=not tls.insecure_skip_verify,
        credential=credential if mutual else None,
        trust=credential,
    )


def _ports(policy: wire.TrafficPolicy | None, everyone: bool) -> traffic.PortPolicies:
    """Per port; of several entries for one port, the first counts."""
    ports: dict[int, traffic.TrafficPolicy] = {}
    for settings in policy.port_level_settings if policy else ():
        if settings.port is not None and settings.port.number:
            ports.setdefault(settings.port.number, _policy(settings, everyone))
    return tuple(ports.items())


def connection_pool(pool: wire.ConnectionPool | None) -> traffic.ConnectionPool | None:
    """0 is unset (Istio cannot tell them apart)."""
    if pool is None:
        return None
    tcp, http = pool.tcp or wire.TcpSettings(), pool.http or wire.HttpSettings()
    return traffic.ConnectionPool(
        max_connections=tcp.max_connections or None,
        connect_timeout=milliseconds(tcp.connect_timeout),
        keepalive=keepalive_of(tcp.tcp_keepalive),
        max_connection_duration=milliseconds(tcp.max_connection_duration),
        tcp_idle_timeout=milliseconds(tcp.idle_timeout),
        http1_max_pending_requests=http.http1_max_pending_requests or None,
        http2_max_requests=http.http2_max_requests or None,
        max_requests_per_connection=http.max_requests_per_connection or None,
        max_retries=http.max_retries or None,
        http_idle_timeout=milliseconds(http.idle_timeout),
        max_concurrent_streams=http.max_concurrent_streams or None,
        pings=_pings(http.http2_keep_alive),
        upgrade=_UPGRADE.get(http.h2_upgrade_policy or ""),
        use_client_protocol=bool(http.use_client_protocol),
    )


def _pings(keepalive: wire.Http2KeepAlive | None) -> traffic.Pings | None:
    if keepalive is None:
        return None
    return traffic.Pings(interval=milliseconds(keepalive.interval), timeout=milliseconds(keepalive.timeout))


def keepalive_of(keepalive: wire.TcpKeepalive | None) -> traffic.Keepalive | None:
    """Probes; 0 is unset."""
    if keepalive is None:
        return None
    return traffic.Keepalive(
        probes=keepalive.probes or None,
        time=milliseconds(keepalive.time),
        interval=milliseconds(keepalive.interval),
    )


def outliers_of(outliers: wire.OutlierDetection | None) -> traffic.OutlierDetection | None:
    """A detector that is set to 0 is off; a percentage of 0 is Envoy's default."""
    if outliers is None:
        return None
    return traffic.OutlierDetection(
        consecutive_5xx=outliers.consecutive5xx_errors,
        consecutive_gateway_errors=outliers.consecutive_gateway_errors,
        consecutive_local_origin_failures=outliers.consecutive_local_origin_failures,
        split_local_origin=bool(outliers.split_external_local_origin_errors),
        interval=milliseconds(outliers.interval),
        base_ejection_time=milliseconds(outliers.base_ejection_time),
        max_ejection_percent=outliers.max_ejection_percent or None,
        min_health_percent=outliers.min_health_percent or 0,
        error_statuses=tuple(sorted(set(outliers.outlier_detection_http_error_codes))),
    )
