"""Circuit breakers: one Lua filter before the faults, with the rules of a destination's breaker at its routes."""

import hashlib

from google.protobuf.any_pb2 import Any
from google.protobuf.struct_pb2 import Struct

from weft._pb.envoy.config.core.v3.base_pb2 import DataSource
from weft._pb.envoy.config.route.v3.route_components_pb2 import RouteAction
from weft._pb.envoy.extensions.filters.http.lua.v3.lua_pb2 import Lua, LuaPerRoute
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from weft.compiler.http_filters.breaker_script import SCRIPT
from weft.compiler.http_filters.extras import Extras
from weft.compiler.names import BREAKER_FILTER, breaker_name, cluster_name
from weft.compiler.wire import packed, serialized
from weft.kit.memo import memo
from weft.model.breaker import Breaker, Forced
from weft.model.route import Destination
from weft.view.view import Guarded, Route, Target

_SOURCE = "breaker"
_Value = str | float | dict[str, str]
_FORCED = {Forced.NO: 0, Forced.OPEN: 1, Forced.CLOSED: 2}


def http_filters(extras: Extras) -> list[HttpFilter]:
    """The filter, off until a route enables it; only where some route does."""
    return [_filter()] if extras.breakers else []


@memo(1)
def _filter() -> HttpFilter:
    script = Lua(source_codes={_SOURCE: DataSource(inline_string=SCRIPT)}, stat_prefix=_SOURCE)
    return HttpFilter(name=BREAKER_FILTER, disabled=True, typed_config=packed(script))


def on_route(route: Route) -> dict[str, Any]:
    """The breaker of a route with one destination."""
    return {BREAKER_FILTER: _rules(route.breakers[0])} if _shares(route) == 1 and route.breakers else {}


def guard_shares(action: RouteAction, route: Route) -> None:
    """The breakers of the destinations that share a route."""
    rules = {_cluster(one.destination): _rules(one) for one in route.breakers}
    for cluster in action.weighted_clusters.clusters:
        if cluster.name in rules:
            cluster.typed_per_filter_config[BREAKER_FILTER].CopyFrom(rules[cluster.name])


def _shares(route: Route) -> int:
    return len(getattr(route.action, "backends", ()))


def _cluster(destination: Destination) -> str:
    return cluster_name(Target(host=destination.host, subset=destination.subset, port=destination.port or 0))


@memo(16384)
def _rules(guarded: Guarded) -> Any:
    """The rules as the script reads them; the ``id`` stands for all of them, so that it reads them once."""
    context = Struct()
    context.update(_context(guarded.breaker, breaker_name(guarded.breaker.name, _cluster(guarded.destination))))
    if guarded.fallback is not None:
        context["fallback"] = guarded.breaker.name
    context["id"] = hashlib.sha256(serialized(context)).hexdigest()[:24]
    return packed(LuaPerRoute(name=_SOURCE, filter_context=context))


def _context(breaker: Breaker, name: str) -> dict[str, _Value]:
    """Times are seconds here."""
    return {
        "name": name,
        "threshold": breaker.failure_threshold,
        "rate": breaker.failure_rate,
        "volume": breaker.request_volume,
        "window": breaker.window / 1000,
        "open": breaker.open_duration / 1000,
        "factor": breaker.backoff,
        "longest": breaker.max_open_duration / 1000,
        "probes": breaker.half_open_requests,
        "successes": breaker.success_threshold,
        "patience": breaker.trial_timeout / 1000,
        "statuses": "".join(f"{low}-{high}," for low, high in breaker.statuses),
        "grpc": "".join(f"{code}-{code}," for code in breaker.grpc_statuses),
        "slow": breaker.slow_call / 1000,
        "slow_rate": breaker.slow_rate,
        "forced": _FORCED[breaker.forced],
        "reset": breaker.reset,
        "status": str(breaker.answer_status),
        "body": breaker.answer_body,
        "headers": dict(breaker.answer_headers),
    }
