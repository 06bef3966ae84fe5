"""Rate limits: for each policy a filter that counts alone, and one that asks the control plane.

The buckets belong to the filter, not to a route, so they survive every change of routes, and all routes of a rule fill
from the same. A route only switches the filter on. A request becomes a descriptor for each limit that counts it: the
limit's name, then a value for each thing that is counted apart. Source: Envoy ``LocalRateLimit``, ``RateLimit``.
"""

from google.protobuf.any_pb2 import Any
from google.protobuf.wrappers_pb2 import UInt64Value

from weft._pb.envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption, RuntimeFractionalPercent
from weft._pb.envoy.config.core.v3.config_source_pb2 import ApiVersion
from weft._pb.envoy.config.core.v3.grpc_service_pb2 import GrpcService
from weft._pb.envoy.config.ratelimit.v3.rls_pb2 import RateLimitServiceConfig
from weft._pb.envoy.config.route.v3.route_components_pb2 import FilterConfig, RateLimit
from weft._pb.envoy.extensions.common.ratelimit.v3.ratelimit_pb2 import (
    DRAFT_VERSION_03,
    OFF,
    LocalRateLimitDescriptor,
    RateLimitDescriptor,
)
from weft._pb.envoy.extensions.filters.http.local_ratelimit.v3.local_rate_limit_pb2 import LocalRateLimit
from weft._pb.envoy.extensions.filters.http.ratelimit.v3.rate_limit_pb2 import RateLimit as GlobalRateLimit
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from weft._pb.envoy.type.v3.http_status_pb2 import HttpStatus, StatusCode
from weft._pb.envoy.type.v3.token_bucket_pb2 import TokenBucket
from weft.compiler.headers import escaped
from weft.compiler.http_filters.descriptors import LIMIT, actions_of, key_of, keys_of
from weft.compiler.http_filters.extras import Extras
from weft.compiler.names import LIMITS_DOMAIN, XDS_CLUSTER, global_limit_filter, limit_statistics, local_limit_filter
from weft.compiler.wire import milliseconds, number, packed, percentage
from weft.kit.memo import memo
from weft.model.limits import Answer, Limit, RateLimits
from weft.view.view import Route

_ALWAYS = RuntimeFractionalPercent(default_value=percentage(100))


def http_filters(extras: Extras) -> list[HttpFilter]:
    """The filters of a chain: its own, then those that routes switch on."""
    found = list(_filters(extras.own, disabled=False)) if extras.own else []
    for limits in extras.limits:
        if limits != extras.own:
            found += _filters(limits, disabled=True)
    return found


def on_route(route: Route) -> dict[str, Any]:
    """What switches the filters of a route's policy on."""
    names = _names(route.limits) if route.limits else ()
    return {name: _on() for name in names}


@memo(1)
def _on() -> Any:
    return packed(FilterConfig(config=Any()))


def _names(limits: RateLimits) -> tuple[str, ...]:
    found = [local_limit_filter(limits.name)] if limits.local else []
    return (*found, *([global_limit_filter(limits.name)] if limits.shared else []))


@memo(4096)
def _filters(limits: RateLimits, *, disabled: bool) -> tuple[HttpFilter, ...]:
    made = [_local(limits)] if limits.local else []
    configs = [*made, *([_global(limits)] if limits.shared else [])]
    pairs = zip(_names(limits), configs, strict=True)
    return tuple(HttpFilter(name=name, disabled=disabled, typed_config=packed(one)) for name, one in pairs)


def _local(limits: RateLimits) -> LocalRateLimit:
    return LocalRateLimit(
        stat_prefix=limit_statistics(limits.name),
        status=_status(limits.answer.status),
        filter_enabled=_ALWAYS,
        filter_enforced=_ALWAYS,
        response_headers_to_add=_headers(limits.answer),
        enable_x_ratelimit_headers=DRAFT_VERSION_03 if limits.answer.told else OFF,
        enable_retry_after_header=limits.answer.told,
        rate_limited_as_resource_exhausted=True,
        max_dynamic_descriptors=number(limits.max_keys),
        rate_limits=[_asked(limit, limit.name) for limit in limits.local],
        descriptors=[_bucket(limit) for limit in limits.local],
    )


def _global(limits: RateLimits) -> GlobalRateLimit:
    service = RateLimitServiceConfig(
        grpc_service=GrpcService(envoy_grpc=GrpcService.EnvoyGrpc(cluster_name=XDS_CLUSTER)),
        transport_api_version=ApiVersion.V3,
    )
    return GlobalRateLimit(
        domain=LIMITS_DOMAIN,
        timeout=milliseconds(limits.timeout),
        failure_mode_deny=limits.closed,
        rate_limited_as_resource_exhausted=True,
        rate_limit_service=service,
        enable_x_ratelimit_headers=GlobalRateLimit.DRAFT_VERSION_03 if limits.answer.told else GlobalRateLimit.OFF,
        disable_x_envoy_ratelimited_header=True,
        rate_limited_status=_status(limits.answer.status),
        response_headers_to_add=_headers(limits.answer),
        status_on_error=_status(503),
        enable_retry_after_header=limits.answer.told,
        rate_limits=[_asked(limit, key_of(limits, limit)) for limit in limits.shared],
    )


def _status(code: int) -> HttpStatus:
    return HttpStatus(code=StatusCode.Name(code))


def _headers(answer: Answer) -> list[HeaderValueOption]:
    action = HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
    return [
        HeaderValueOption(header=HeaderValue(key=name, value=escaped(value)), append_action=action)
        for name, value in answer.headers
    ]


def _asked(limit: Limit, name: str) -> RateLimit:
    """How a request becomes the limit's descriptor; what only counts tells the caller nothing."""
    found = RateLimit(actions=actions_of(limit, name))
    if limit.cost != 1:
        found.hits_addend.number.CopyFrom(UInt64Value(value=limit.cost))
    if limit.shadow:
        found.x_ratelimit_option = RateLimit.OFF
    return found


def _bucket(limit: Limit) -> LocalRateLimitDescriptor:
    """The bucket of a limit; a key without a value stands for any, and each value has a bucket of its own."""
    entry = RateLimitDescriptor.Entry
    return LocalRateLimitDescriptor(
        entries=[entry(key=LIMIT, value=limit.name), *(entry(key=key, value=value) for key, value in keys_of(limit))],
        token_bucket=token_bucket(limit.burst, limit.requests, limit.period),
        shadow_mode=limit.shadow,
    )


def token_bucket(burst: int, rate: int, period: int) -> TokenBucket:
    """A bucket that is filled all the time."""
    return TokenBucket(max_tokens=burst, tokens_per_fill=number(rate), fill_interval=milliseconds(period * 1000))
