"""What happens to a request, as Envoy's route actions."""

from collections.abc import Sequence

from google.protobuf.wrappers_pb2 import BoolValue

from weft._pb.envoy.config.core.v3.base_pb2 import DataSource, RuntimeFractionalPercent
from weft._pb.envoy.config.route.v3.route_components_pb2 import (
    DirectResponseAction,
    RedirectAction,
    RetryPolicy,
    RouteAction,
    WeightedCluster,
)
from weft._pb.envoy.extensions.retry.host.previous_hosts.v3.previous_hosts_pb2 import PreviousHostsPredicate
from weft._pb.envoy.extensions.retry.priority.previous_priorities.v3.previous_priorities_config_pb2 import (
    PreviousPrioritiesConfig,
)
from weft._pb.envoy.type.matcher.v3.regex_pb2 import RegexMatchAndSubstitute, RegexMatcher
from weft.compiler.headers import added, authority, removed
from weft.compiler.http_filters.clients import CLIENT
from weft.compiler.names import BLACK_HOLE_CLUSTER, cluster_name
from weft.compiler.wire import maybe_milliseconds, milliseconds, number, packed, percentage
from weft.model.route import (
    Backend,
    Destination,
    DirectResponse,
    Forward,
    Headers,
    Mirror,
    PathRewrite,
    Redirect,
    RegexRewrite,
    Retries,
)
from weft.model.traffic import ConsistentHash, HashClient, HashCookie, HashHeader, HashQuery, HashSourceIp
from weft.view.view import Target

_HOST_ATTEMPTS = 5
_DEFAULT_PORTS = (("http", 80), ("https", 443))
_WELL_KNOWN_PORTS = (80, 443)
_CODES = {
    301: RedirectAction.MOVED_PERMANENTLY,
    302: RedirectAction.FOUND,
    303: RedirectAction.SEE_OTHER,
    307: RedirectAction.TEMPORARY_REDIRECT,
    308: RedirectAction.PERMANENT_REDIRECT,
}


_INTERNAL = 500


def route_action(forward: Forward, headers: Sequence[Headers], hashing: ConsistentHash | None) -> RouteAction:
    """Where a request is sent. No timeout means none: Envoy's own would be 15 s.

    A gRPC caller's own shorter deadline is kept by the caller: Envoy's field for it is deprecated
    (``max_grpc_timeout``), and the field that replaces it (``max_stream_duration``) switches ``timeout`` off.
    """
    action = RouteAction(
        timeout=milliseconds(forward.timeout or 0),
        retry_policy=retry_policy(forward.retries) if forward.retries else None,
        request_mirror_policies=[_mirror(mirror) for mirror in forward.mirrors],
        hash_policy=_hash_policies(hashing) if hashing else None,
    )
    _send(action, forward.backends, forward.broken_status)
    _rewrite(action, forward, headers)
    return action


def _send(action: RouteAction, backends: tuple[Backend, ...], broken_status: int) -> None:
    """Without a word Envoy answers 503 for a cluster that is not there."""
    if broken_status == _INTERNAL and any(one.broken for one in backends):
        action.cluster_not_found_response_code = RouteAction.INTERNAL_SERVER_ERROR
    if len(backends) == 1:
        action.cluster = _cluster_of(backends[0])
    else:
        action.weighted_clusters.clusters.extend(_weighted(backend) for backend in backends)


def _cluster(destination: Destination) -> str:
    return cluster_name(Target(host=destination.host, port=destination.port or 0, subset=destination.subset))


def _cluster_of(backend: Backend) -> str:
    """A share that must fail goes to a cluster that does not exist."""
    return BLACK_HOLE_CLUSTER if backend.broken else _cluster(backend.destination)


def _weighted(backend: Backend) -> WeightedCluster.ClusterWeight:
    headers = backend.headers
    return WeightedCluster.ClusterWeight(
        name=_cluster_of(backend),
        weight=number(backend.weight),
        request_headers_to_add=added(headers.request),
        request_headers_to_remove=removed(headers.request),
        response_headers_to_add=added(headers.response),
        response_headers_to_remove=removed(headers.response),
        host_rewrite_literal=backend.authority or authority(headers) or None,
    )


def _rewrite(action: RouteAction, forward: Forward, headers: Sequence[Headers]) -> None:
    rewrite = forward.rewrite
    match rewrite.path:
        case PathRewrite(to=to):
            action.prefix_rewrite = to
        case RegexRewrite() as pattern:
            action.regex_rewrite.CopyFrom(_substitution(pattern))
        case None:
            pass
    own = forward.backends[0].authority if len(forward.backends) == 1 else ""
    if host := rewrite.authority or own or authority(*headers):
        action.host_rewrite_literal = host


def _substitution(rewrite: RegexRewrite) -> RegexMatchAndSubstitute:
    return RegexMatchAndSubstitute(pattern=RegexMatcher(regex=rewrite.pattern), substitution=rewrite.substitution)


def retry_policy(retries: Retries) -> RetryPolicy | None:
    """Istio's retries: another host each time, where there is one."""
    if not retries.attempts:
        return None
    policy = RetryPolicy(
        retry_on=",".join(retries.on),
        num_retries=number(retries.attempts),
        retriable_status_codes=retries.codes,
        per_try_timeout=maybe_milliseconds(retries.per_try_timeout),
        host_selection_retry_max_attempts=_HOST_ATTEMPTS,
    )
    if retries.backoff:
        policy.retry_back_off.base_interval.CopyFrom(milliseconds(retries.backoff))
    if retries.ignore_previous_hosts:
        policy.retry_host_predicate.add(
            name="envoy.retry_host_predicates.previous_hosts", typed_config=packed(PreviousHostsPredicate())
        )
    if retries.remote_localities:
        policy.retry_priority.name = "envoy.retry_priorities.previous_priorities"
        policy.retry_priority.typed_config.CopyFrom(packed(PreviousPrioritiesConfig(update_frequency=2)))
    return policy


def _mirror(mirror: Mirror) -> RouteAction.RequestMirrorPolicy:
    return RouteAction.RequestMirrorPolicy(
        cluster=_cluster(mirror.destination),
        runtime_fraction=RuntimeFractionalPercent(default_value=percentage(mirror.percent)),
        trace_sampled=BoolValue(value=False),
        disable_shadow_host_suffix_append=True,
    )


def _hash_policies(hashing: ConsistentHash) -> list[RouteAction.HashPolicy]:
    """A client is its address, and in sidecars, where all calls come from one, the workload."""
    if isinstance(hashing.key, HashClient):
        workload = RouteAction.HashPolicy.FilterState(key=CLIENT)
        return [_hash_policy(HashSourceIp()), RouteAction.HashPolicy(filter_state=workload)]
    return [_hash_policy(hashing.key)]


def _hash_policy(key: HashHeader | HashCookie | HashSourceIp | HashQuery) -> RouteAction.HashPolicy:
    policy = RouteAction.HashPolicy
    match key:
        case HashHeader(name=name):
            return policy(header=policy.Header(header_name=name))
        case HashCookie(name=name, path=path, ttl=ttl, attributes=pairs):
            attributes = [policy.CookieAttribute(name=key, value=value) for key, value in pairs]
            cookie = policy.Cookie(name=name, path=path, ttl=maybe_milliseconds(ttl), attributes=attributes)
            return policy(cookie=cookie)
        case HashSourceIp():
            return policy(connection_properties=policy.ConnectionProperties(source_ip=True))
        case HashQuery(name=name):
            return policy(query_parameter=policy.QueryParameter(name=name))


def redirect_action(redirect: Redirect, called: int) -> RedirectAction:
    """Another place. A port is said unless it is the scheme's own; ``called`` is the port of the request.

    A caller of a port that is no scheme's own writes it into the host, so that there it is said in any case.
    """
    action = RedirectAction(
        host_redirect=redirect.authority,
        scheme_redirect=redirect.scheme or None,
        response_code=_CODES.get(redirect.code, RedirectAction.MOVED_PERMANENTLY),
    )
    if redirect.path:
        action.path_redirect = redirect.path
    elif redirect.path_prefix:
        action.prefix_rewrite = redirect.path_prefix
    elif redirect.pattern is not None:
        action.regex_rewrite.CopyFrom(_substitution(redirect.pattern))
    port = called if redirect.port_from_request else redirect.port or 0
    others = redirect.port_from_protocol and (called not in _WELL_KNOWN_PORTS)
    if others or (redirect.scheme or "http", port) not in _DEFAULT_PORTS:
        action.port_redirect = port
    return action


def direct_response(response: DirectResponse) -> DirectResponseAction:
    """An answer of the proxy's own."""
    body = DataSource(inline_bytes=response.body) if response.body else None
    return DirectResponseAction(status=response.status, body=body)
