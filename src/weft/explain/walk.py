"""The way of a call through a proxy: listener, virtual host, route, action, clusters, endpoints, identities."""

from collections.abc import Generator, Iterable, Iterator

from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.config.route.v3.route_components_pb2 import Route, VirtualHost
from weft._pb.envoy.config.route.v3.route_pb2 import RouteConfiguration
from weft.compiler.names import REFUSED
from weft.compiler.resource import Resources
from weft.explain.actions import Share, action_step, fault_step, shares_of
from weft.explain.call import Call, Explanation, State, Step
from weft.explain.claims import Told, token_step
from weft.explain.clusters import cluster_steps
from weft.explain.configuration import Configuration, configuration_of, http_manager, tcp_proxies
from weft.explain.connection import connection_shares
from weft.explain.cors import cors_step
from weft.explain.entry import entry_of
from weft.explain.gateway_entry import udp_shares
from weft.explain.guards import breaker_step, check_step, forced_to_fallback, limit_step, limits_there
from weft.explain.matching import conditions, joined, mismatch, virtual_host_for
from weft.explain.paths import normalized
from weft.explain.plugins import plugin_step
from weft.explain.sessions import session_step

_SHOWN_MISSES = 8
_SHOWN_DOMAINS = 12


def explain(resources: Resources, call: Call, peers: Iterable[Resources] = ()) -> Explanation:
    """Send an imagined call from the application through its sidecar's compiled resources.

    ``peers`` are the resources of those that it may reach. Raises nothing for a call that goes nowhere: the step that
    fails says why.
    """
    steps = tuple(_walk(configuration_of(resources), call, peers))
    failed = next((step for step in steps if step.state is State.FAILED), None)
    last = next((step for step in reversed(steps) if step.name == "answer"), None)
    if failed is not None:
        return Explanation(steps=steps, outcome=f"the request would fail: {failed.what}", ok=False)
    return Explanation(steps=steps, outcome=last.what if last else "the request would be answered", ok=True)


def _walk(configuration: Configuration, call: Call, peers: Iterable[Resources]) -> Iterator[Step]:
    listener, entry = entry_of(configuration, call)
    yield entry
    if listener is None:
        return
    if packets := udp_shares(listener):
        yield from _to_shares(configuration, packets)
        return
    if tcp_proxies(listener) and (call.scheme != "http" or http_manager(listener) is None):
        shares = yield from connection_shares(listener, call)
        yield from _to_shares(configuration, shares)
        return
    yield from _request(configuration, listener, call, peers)


def _request(
    configuration: Configuration, listener: Listener, call: Call, peers: Iterable[Resources]
) -> Iterator[Step]:
    """What a listener that reads requests does with one, until a route takes it."""
    seen = yield from normalized(listener, call)
    found = (yield from _virtual_host(configuration, listener, seen)) if seen else None
    if seen is None or found is None:
        return
    call = seen
    if found.require_tls == VirtualHost.ALL and call.scheme == "http":
        yield Step(name="answer", what=f"301 to https://{call.authority}{call.path}", details=("tls.httpsRedirect",))
        return
    told, judged = token_step(listener, call)
    if judged is not None:
        yield judged
        if judged.state is State.FAILED:
            return
    route = yield from _route(found, call, told)
    if route is not None and (forced := forced_to_fallback(route)) is not None:
        yield forced
        route = yield from _route(found, call, {**told, REFUSED[0]: {REFUSED[1]: forced.about}})
    if route is None:
        return
    decided = tuple(cors_step(route, call))
    yield from decided
    if any(step.name == "answer" for step in decided):
        return
    yield from check_step(listener, route)
    yield from plugin_step(listener, found, route)
    yield from limit_step(listener, route)
    shares = yield from _onward(route, call)
    yield from _to_shares(configuration, shares)
    yield from limits_there(configuration, shares, peers)


def _onward(route: Route, call: Call) -> Generator[Step, None, tuple[Share, ...]]:
    """What a route does with its request; no shares where a breaker refuses it."""
    guarding = tuple(breaker_step(route))
    yield from guarding
    if any(step.state is State.FAILED for step in guarding):
        return ()
    yield from fault_step(route)
    yield from session_step(route)
    yield from action_step(route)
    return shares_of(route, call)


def _virtual_host(
    configuration: Configuration, listener: Listener, call: Call
) -> Generator[Step, None, VirtualHost | None]:
    routes = _routes_of(configuration, listener)
    if routes is None:
        yield Step(name="virtual host", what=f"{listener.name} has no routes: 404", state=State.FAILED)
        return None
    authority = without_port(call.authority) if routes.ignore_port_in_host_matching else call.authority
    found = virtual_host_for(routes.virtual_hosts, authority)
    refusal = _refusal(found)
    if found is None or refusal:
        what = f"nothing answers for {authority}: {refusal or 404}"
        yield Step(name="virtual host", what=what, state=State.FAILED, details=_known(routes))
        return None
    host, domain = found
    details = (f"{authority} is matched by {domain}", *((_known(routes)) if domain == "*" else ()))
    yield Step(name="virtual host", what=host.name, details=details, about=host.name)
    return host


def without_port(authority: str) -> str:
    """A host without its port, if it has one."""
    host, colon, port = authority.rpartition(":")
    return host if colon and port.isdigit() and not host.endswith(":") else authority


def _refusal(found: tuple[VirtualHost, str] | None) -> int:
    """The status with which the host that takes all other names turns them away, 0 if it does not."""
    if found is None or found[1] != "*" or len(found[0].routes) != 1:
        return 0
    status = found[0].routes[0].direct_response.status
    return status if status >= 400 else 0


def _known(routes: RouteConfiguration) -> tuple[str, ...]:
    known = [domain for host in routes.virtual_hosts for domain in host.domains if domain != "*"]
    more = f" and {len(known) - _SHOWN_DOMAINS} more" if len(known) > _SHOWN_DOMAINS else ""
    return (f"known are {', '.join(known[:_SHOWN_DOMAINS]) or 'no hosts'}{more}",)


def _routes_of(configuration: Configuration, listener: Listener) -> RouteConfiguration | None:
    manager = http_manager(listener)
    return configuration.routes_of(manager) if manager is not None else None


def _route(host: VirtualHost, call: Call, told: Told) -> Generator[Step, None, Route | None]:
    misses: list[str] = []
    for index, route in enumerate(host.routes):
        label = route.name or f"route {index}"
        miss = mismatch(route.match, call, told)
        if miss is None:
            why = f"it takes {_conditions_words(route)}"
            about = f"{index}/{len(host.routes)}"
            yield Step(name="route", what=label, details=(*_shown(misses), why), about=about)
            return route
        misses.append(f"not {label}: wants {miss}")
    what = f"none of the {len(host.routes)} routes of {host.name} takes the request: 404"
    yield Step(name="route", what=what, state=State.FAILED, details=tuple(_shown(misses)))
    return None


def _conditions_words(route: Route) -> str:
    found = conditions(route.match)
    return f"requests whose {joined(found)}" if found else "every request"


def _shown(misses: list[str]) -> list[str]:
    left = len(misses) - _SHOWN_MISSES
    return [*misses[:_SHOWN_MISSES], f"nor {left} more"] if left > 0 else misses


def _to_shares(configuration: Configuration, shares: tuple[Share, ...]) -> Iterator[Step]:
    for share in shares:
        yield from cluster_steps(configuration, share)
