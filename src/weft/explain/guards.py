"""The rate limits and the circuit breaker that a call meets, in its own proxy and in that of whom it reaches."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict

from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.config.route.v3.route_components_pb2 import RateLimit, Route
from weft._pb.envoy.extensions.common.ratelimit.v3.ratelimit_pb2 import LocalRateLimitDescriptor
from weft._pb.envoy.extensions.filters.http.ext_authz.v3.ext_authz_pb2 import ExtAuthz
from weft._pb.envoy.extensions.filters.http.local_ratelimit.v3.local_rate_limit_pb2 import LocalRateLimit
from weft._pb.envoy.extensions.filters.http.lua.v3.lua_pb2 import LuaPerRoute
from weft._pb.envoy.extensions.filters.http.ratelimit.v3.rate_limit_pb2 import RateLimit as GlobalRateLimit
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from weft.compiler.names import BREAKER_FILTER, ROUTE_CHECK
from weft.compiler.resource import LISTENER, Resources
from weft.explain.actions import Share
from weft.explain.call import State, Step
from weft.explain.clusters import endpoints_of
from weft.explain.configuration import Configuration, http_manager, unpacked

_UNITS = {1: "second", 60: "minute", 3600: "hour", 86_400: "day"}
_FORCED = {1: "it is forced open: every call is refused", 2: "it is forced closed: every call passes"}


def limit_step(listener: Listener, route: Route | None = None, where: str = "") -> Iterator[Step]:
    """The limits of a listener that hold for a route (``None``: those of everything that passes)."""
    switched = route.typed_per_filter_config if route is not None else {}
    details = tuple(_limits(listener, switched))
    if details:
        yield Step(name="rate limits", what=f"a request must be within each of them{where}", details=details)


def check_step(listener: Listener, route: Route) -> Iterator[Step]:
    """Who is asked whether the route's requests may pass."""
    manager = http_manager(listener)
    for one in manager.http_filters if manager else ():
        if not one.name.startswith(ROUTE_CHECK) or one.name not in route.typed_per_filter_config:
            continue
        asked = unpacked(one.typed_config, ExtAuthz)
        if asked is not None:
            by_http = asked.HasField("http_service")
            cluster = asked.http_service.server_uri.cluster if by_http else asked.grpc_service.envoy_grpc.cluster_name
            yield Step(name="check", what=f"{cluster} is asked by {'HTTP' if by_http else 'gRPC'} whether it may pass")


def breaker_step(route: Route) -> Iterator[Step]:
    """The breakers of a route's destinations."""
    places = [("", route.typed_per_filter_config)]
    places += [(f"{one.name}: ", one.typed_per_filter_config) for one in route.route.weighted_clusters.clusters]
    for label, configs in places:
        rules = unpacked(configs[BREAKER_FILTER], LuaPerRoute) if BREAKER_FILTER in configs else None
        if rules is not None:
            yield _breaker(label, MessageToDict(rules.filter_context))


def forced_to_fallback(route: Route) -> Step | None:
    """What a breaker says that is forced open and has a fallback, ``None`` where no such breaker guards the route."""
    if BREAKER_FILTER not in route.typed_per_filter_config:
        return None
    found = unpacked(route.typed_per_filter_config[BREAKER_FILTER], LuaPerRoute)
    rules = MessageToDict(found.filter_context) if found is not None else {}
    if rules.get("forced") != 1 or "fallback" not in rules:
        return None
    name = str(rules["fallback"])
    return Step(name="breaker", what=f"it is forced open ({name}): calls go to its fallback", about=name)


def limits_there(configuration: Configuration, shares: Iterable[Share], peers: Iterable[Resources]) -> Iterator[Step]:
    """The limits in front of the applications that a call may reach, of each policy once."""
    names = {name for share in shares if not share.mirror for name in _inbound_names(configuration, share)}
    said: set[tuple[str, ...]] = set()
    for resource in (one for peer in peers for one in peer.resources):
        if resource.type_url == LISTENER and resource.name in names:
            for step in limit_step(Listener.FromString(resource.body), where=" where it arrives"):
                if step.details not in said:
                    said.add(step.details)
                    yield step


def _inbound_names(configuration: Configuration, share: Share) -> Iterator[str]:
    cluster = configuration.clusters.get(share.cluster)
    for endpoint in endpoints_of(configuration, cluster) if cluster else ():
        socket = endpoint.endpoint.address.socket_address
        yield f"inbound_{socket.address}_{socket.port_value}"


def _limits(listener: Listener, switched: Mapping[str, Any]) -> Iterator[str]:
    manager = http_manager(listener)
    for one in manager.http_filters if manager else ():
        if not one.disabled or one.name in switched:
            yield from _words(one)


def _words(one: HttpFilter) -> Iterator[str]:
    policy = one.name.rpartition("_limit.")[2]
    local = unpacked(one.typed_config, LocalRateLimit)
    if local is not None:
        for asked, bucket in zip(local.rate_limits, local.descriptors, strict=False):
            yield f"{policy}/{bucket.entries[0].value}: {_bucket(bucket)}{_each(asked)}"
    shared = unpacked(one.typed_config, GlobalRateLimit)
    if shared is not None:
        otherwise = "refused" if shared.failure_mode_deny else "let pass"
        for asked in shared.rate_limits:
            name = asked.actions[0].generic_key.descriptor_value
            yield f"{name}: counted by the control plane{_each(asked)}; {otherwise} when that is away"


def _bucket(bucket: LocalRateLimitDescriptor) -> str:
    tokens = bucket.token_bucket
    seconds = tokens.fill_interval.seconds
    shadow = " (only counted)" if bucket.shadow_mode else ""
    unit = _UNITS.get(seconds, f"{seconds} s")
    return f"{tokens.tokens_per_fill.value} a {unit}, {tokens.max_tokens} at once{shadow}"


def _each(asked: RateLimit) -> str:
    """What is counted apart, and under which conditions."""
    each = [word for action in asked.actions[1:] if (word := _dimension(action))]
    conditional = any(action.WhichOneof("action_specifier").endswith("_value_match") for action in asked.actions)
    condition = ", if its conditions hold" if conditional else ""
    return (f" for each {' and '.join(each)}" if each else "") + condition


def _dimension(action: RateLimit.Action) -> str:
    match action.WhichOneof("action_specifier"):
        case "generic_key":
            known = {"%DOWNSTREAM_PEER_URI_SAN%": "caller", "%PATH(NQ)%": "path"}
            return known.get(action.generic_key.descriptor_value, "address")
        case "request_headers":
            name = action.request_headers.header_name
            return "method" if name == ":method" else f"value of {name}"
        case "query_parameters":
            return f"value of ?{action.query_parameters.query_parameter_name}"
        case "masked_remote_address":
            return "network"
        case "metadata":
            return f"claim {'.'.join(step.key for step in action.metadata.metadata_key.path[1:])}"
        case _:
            return ""


def _breaker(label: str, rules: dict[str, Any]) -> Step:
    name = str(rules["name"]).partition("|")[0]
    forced = _FORCED.get(int(rules["forced"]))
    failed = State.FAILED if rules["forced"] == 1 and not label else State.OK
    what = f"{label}{forced} ({name})" if forced else f"{label}{name} lets it pass while it is closed"
    return Step(name="breaker", what=what, state=failed, details=tuple(_rules(rules)), about=name)


def _rules(rules: dict[str, Any]) -> Iterator[str]:
    window = f"within {rules['window']:g} s" if rules["window"] else "in a row"
    if rules["threshold"]:
        yield f"opens after {rules['threshold']:g} failures {window}"
    if rules["rate"]:
        yield f"opens when {rules['rate']:g} % of at least {rules['volume']:g} calls fail {window}"
    if rules["slow_rate"]:
        slow = f"take {rules['slow']:g} s or longer"
        yield f"opens when {rules['slow_rate']:g} % of at least {rules['volume']:g} calls {slow} {window}"
    yield f"open for {rules['open']:g} s, times {rules['factor']:g} each time again, {rules['longest']:g} s at most"
    if "fallback" in rules:
        yield "calls go to its fallback while it is open"
    yield f"then {rules['probes']:g} at once are tried, {rules['successes']:g} successes close it"
