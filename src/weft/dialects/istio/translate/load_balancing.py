"""A DestinationRule's load balancer in the model's words."""

from weft.dialects.istio.types import load_balancing as wire
from weft.dialects.syntax import milliseconds
from weft.model import traffic

_SIMPLE = {
    "RANDOM": traffic.Balancing.RANDOM,
    "PASSTHROUGH": traffic.Balancing.PASSTHROUGH,
    "ROUND_ROBIN": traffic.Balancing.ROUND_ROBIN,
}
_RING_SIZE = 1024
_LEAST_ENDPOINTS = 6
"""Envoy's own default."""


def load_balancer(balancer: wire.LoadBalancer | None) -> traffic.LoadBalancer | None:
    """What is unset, unspecified or ``LEAST_CONN`` is ``LEAST_REQUEST``."""
    if balancer is None:
        return None
    algorithm = _consistent_hash(balancer.consistent_hash)
    simple = _SIMPLE.get(balancer.simple or "", traffic.Balancing.LEAST_REQUEST)
    return traffic.LoadBalancer(
        algorithm=algorithm or simple,
        locality=near_of(balancer.locality_lb_setting, balancer.zone_aware_lb_setting),
        warmup=_warmup(balancer),
    )


def near_of(
    locality: wire.LocalityLoadBalancer | None, zones: wire.ZoneAwareLoadBalancer | None
) -> traffic.LocalityPreference | None:
    """What is near: by zones where these are on."""
    if zones is None or not zones.enabled:
        return locality_of(locality)
    return traffic.LocalityPreference(
        failover=tuple(traffic.Failover(origin=one.from_ or "", to=one.to or "") for one in zones.failover),
        labels=zones.failover_priority,
        always=True,
        zones=zones.min_cluster_size or _LEAST_ENDPOINTS,
    )


def locality_of(setting: wire.LocalityLoadBalancer | None) -> traffic.LocalityPreference | None:
    """What is near, on unless it is switched off."""
    if setting is None:
        return None
    return traffic.LocalityPreference(
        enabled=setting.enabled is not False,
        distribute=tuple(
            traffic.Distribution(origin=one.from_ or "", shares=tuple(sorted(one.to.items())))
            for one in setting.distribute
        ),
        failover=tuple(traffic.Failover(origin=one.from_ or "", to=one.to or "") for one in setting.failover),
        labels=setting.failover_priority,
    )


def _consistent_hash(wanted: wire.ConsistentHash | None) -> traffic.ConsistentHash | None:
    key = _hash_key(wanted) if wanted else None
    if wanted is None or key is None:
        return None
    ring = wanted.ring_hash.minimum_ring_size if wanted.ring_hash else wanted.minimum_ring_size
    return traffic.ConsistentHash(
        key=key,
        maglev=wanted.maglev is not None,
        ring_size=ring or _RING_SIZE,
        table_size=wanted.maglev.table_size if wanted.maglev else None,
    )


def _hash_key(wanted: wire.ConsistentHash) -> traffic.HashKey | None:
    if wanted.http_header_name is not None:
        return traffic.HashHeader(name=wanted.http_header_name)
    if wanted.http_cookie is not None:
        cookie = wanted.http_cookie
        return traffic.HashCookie(
            name=cookie.name,
            path=cookie.path or "",
            ttl=milliseconds(cookie.ttl),
            attributes=tuple((one.name or "", one.value or "") for one in cookie.attributes),
        )
    if wanted.use_source_ip:
        return traffic.HashSourceIp()
    if wanted.http_query_parameter_name is not None:
        return traffic.HashQuery(name=wanted.http_query_parameter_name)
    return None


def _warmup(balancer: wire.LoadBalancer) -> traffic.Warmup | None:
    warmup, deprecated = balancer.warmup, milliseconds(balancer.warmup_duration_secs)
    if warmup is None:
        return None if deprecated is None else traffic.Warmup(duration=deprecated)
    return traffic.Warmup(
        duration=milliseconds(warmup.duration) or 0,
        aggression=1.0 if warmup.aggression is None else warmup.aggression,
        minimum_percent=10.0 if warmup.minimum_percent is None else warmup.minimum_percent,
    )
