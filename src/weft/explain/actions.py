"""What a route does with a request, in words: faults, rewrites, timeouts, retries, shares, answers of its own."""

from collections.abc import Iterator

from google.protobuf.duration_pb2 import Duration

from weft._pb.envoy.config.route.v3.route_components_pb2 import (
    DirectResponseAction,
    RedirectAction,
    RetryPolicy,
    Route,
    RouteAction,
)
from weft._pb.envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault
from weft._pb.envoy.type.v3.percent_pb2 import FractionalPercent
from weft.explain.call import Call, State, Step
from weft.explain.configuration import unpacked
from weft.kit.value import Value

_DENOMINATORS = {
    FractionalPercent.HUNDRED: 1.0,
    FractionalPercent.TEN_THOUSAND: 100.0,
    FractionalPercent.MILLION: 10_000.0,
}
_REDIRECTS = {
    RedirectAction.MOVED_PERMANENTLY: 301,
    RedirectAction.FOUND: 302,
    RedirectAction.SEE_OTHER: 303,
    RedirectAction.TEMPORARY_REDIRECT: 307,
    RedirectAction.PERMANENT_REDIRECT: 308,
}
_NOT_FOUND = {
    RouteAction.SERVICE_UNAVAILABLE: 503,
    RouteAction.NOT_FOUND: 404,
    RouteAction.INTERNAL_SERVER_ERROR: 500,
}
_ENVOY_TIMEOUT = "15s, Envoy's default"


class Share(Value):
    """A cluster's part of the requests of a route, and what is answered if there is no such cluster."""

    cluster: str
    percent: float
    mirror: bool = False
    missing: int = 503


def shares_of(route: Route, call: Call) -> tuple[Share, ...]:
    """Where a route sends requests; nowhere when it answers by itself."""
    if route.WhichOneof("action") != "route":
        return ()
    action = route.route
    mirrors = tuple(
        Share(cluster=one.cluster, percent=_mirrored(one), mirror=True) for one in action.request_mirror_policies
    )
    match action.WhichOneof("cluster_specifier"):
        case "cluster":
            return (Share(cluster=action.cluster, percent=100.0, missing=_missing(action)), *mirrors)
        case "weighted_clusters":
            weights = [(one.name, one.weight.value) for one in action.weighted_clusters.clusters]
            total = sum(weight for _, weight in weights) or 1
            missing = _missing(action)
            shares = (
                Share(cluster=name, percent=100.0 * weight / total, missing=missing)
                for name, weight in weights
                if weight
            )
            return (*shares, *mirrors)
        case "cluster_header":
            return (Share(cluster=call.header(action.cluster_header) or "", percent=100.0), *mirrors)
        case _:
            return mirrors


def _missing(action: RouteAction) -> int:
    return _NOT_FOUND[action.cluster_not_found_response_code]


def fault_step(route: Route) -> Iterator[Step]:
    """The faults that the route injects on purpose."""
    for packed in route.typed_per_filter_config.values():
        fault = unpacked(packed, HTTPFault)
        if fault is None:
            continue
        details = tuple(_faults(fault))
        if details:
            whole = fault.HasField("abort") and percent_of(fault.abort.percentage) >= 100
            what = "every request is answered with an injected error" if whole else "injected on purpose"
            yield Step(name="fault", what=what, state=State.FAILED if whole else State.OK, details=details)


def action_step(route: Route) -> Iterator[Step]:
    """The route's action with everything that it changes."""
    if route.WhichOneof("action") == "route":
        counted = (f"counted as {route.stat_prefix}",) if route.stat_prefix else ()
        yield Step(name="action", what="forward", details=(*_forwarding(route.route), *counted))
    else:
        yield Step(name="answer", what=answer_text(route))


def answer_text(route: Route) -> str:
    """What a route answers that forwards nothing."""
    match route.WhichOneof("action"):
        case "redirect":
            return _redirect(route.redirect)
        case "direct_response":
            return _direct(route.direct_response)
        case other:
            return f"no answer of the sidecar's own ({other or 'no action'})"


def percent_of(fraction: FractionalPercent) -> float:
    """A fraction as percent."""
    return fraction.numerator / _DENOMINATORS[fraction.denominator]


def duration_text(duration: Duration) -> str:
    """``250ms``, ``1.5s``."""
    milliseconds = duration.ToMilliseconds()
    return f"{milliseconds}ms" if milliseconds < 1000 else f"{milliseconds / 1000:g}s"


def _faults(fault: HTTPFault) -> Iterator[str]:
    if fault.HasField("delay"):
        yield f"{percent_of(fault.delay.percentage):g} % wait {duration_text(fault.delay.fixed_delay)}"
    if fault.HasField("abort"):
        kind = fault.abort.WhichOneof("error_type")
        status = f"gRPC status {fault.abort.grpc_status}" if kind == "grpc_status" else str(fault.abort.http_status)
        yield f"{percent_of(fault.abort.percentage):g} % are answered with {status}"


def _forwarding(action: RouteAction) -> Iterator[str]:
    for upgrade in action.upgrade_configs:
        onward = "ends here, its bytes go on" if upgrade.HasField("connect_config") else "goes on as it is"
        yield f"the tunnel {onward}"
    yield f"timeout: {_timeout(action)}"
    if action.HasField("retry_policy"):
        yield f"retries: {_retries(action.retry_policy)}"
    if action.prefix_rewrite:
        yield f"the matched path becomes {action.prefix_rewrite}"
    if action.HasField("regex_rewrite"):
        rewrite = action.regex_rewrite
        yield f"in the path, {rewrite.pattern.regex} becomes {rewrite.substitution}"
    if action.host_rewrite_literal:
        yield f"the authority becomes {action.host_rewrite_literal}"
        return
    for share in action.weighted_clusters.clusters:
        if share.host_rewrite_literal:
            yield f"the authority becomes {share.host_rewrite_literal} for {share.name}"


def _timeout(action: RouteAction) -> str:
    if not action.HasField("timeout"):
        return _ENVOY_TIMEOUT
    return duration_text(action.timeout) if action.timeout.ToMilliseconds() else "none"


def _retries(policy: RetryPolicy) -> str:
    times = policy.num_retries.value if policy.HasField("num_retries") else 1
    if not times or not policy.retry_on:
        return "none"
    codes = f" ({', '.join(map(str, policy.retriable_status_codes))})" if policy.retriable_status_codes else ""
    each = f", {duration_text(policy.per_try_timeout)} for each try" if policy.HasField("per_try_timeout") else ""
    return f"up to {times}, on {policy.retry_on}{codes}{each}"


def _redirect(action: RedirectAction) -> str:
    scheme = action.scheme_redirect or ("https" if action.https_redirect else "")
    host = action.host_redirect or "the same host"
    port = f":{action.port_redirect}" if action.port_redirect else ""
    path = action.path_redirect or action.prefix_rewrite or action.path_rewrite
    if action.HasField("regex_rewrite"):
        path = f", in the path {action.regex_rewrite.pattern.regex} becomes {action.regex_rewrite.substitution}"
    path = path or " and path"
    place = f"{scheme}://{host}{port}{path}" if scheme else f"{host}{port}{path}"
    return f"{_REDIRECTS[action.response_code]}, redirected to {place}"


def _direct(action: DirectResponseAction) -> str:
    body = action.body.inline_string or action.body.inline_bytes.decode(errors="replace")
    return f"{action.status}, answered by the sidecar itself" + (f": {body[:80]!r}" if body else "")


def _mirrored(policy: RouteAction.RequestMirrorPolicy) -> float:
    if not policy.HasField("runtime_fraction"):
        return 100.0
    return percent_of(policy.runtime_fraction.default_value)
