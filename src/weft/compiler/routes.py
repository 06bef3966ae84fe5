"""Route configurations: one for the local HTTP proxy, one for each target that local ports stand for.

A route configuration is put together from virtual hosts that are already bytes (protobuf: a repeated field is its parts
one after another), so a change costs the virtual host that it is about. The routes of a host are tried in order: a list
of 1,000 costs 20 us a request.
"""

from collections.abc import Callable

from google.protobuf.wrappers_pb2 import BoolValue
from msgspec.structs import replace

from weft._pb.envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from weft._pb.envoy.config.route.v3.route_components_pb2 import (
    DirectResponseAction,
    HeaderMatcher,
    RouteAction,
    RouteMatch,
)
from weft._pb.envoy.config.route.v3.route_components_pb2 import Route as EnvoyRoute
from weft._pb.envoy.config.route.v3.route_components_pb2 import VirtualHost as EnvoyVirtualHost
from weft._pb.envoy.config.route.v3.route_pb2 import RouteConfiguration
from weft._pb.envoy.type.matcher.v3.string_pb2 import StringMatcher
from weft.compiler.actions import direct_response, redirect_action, route_action
from weft.compiler.connection_managers import gateway_door
from weft.compiler.headers import added, removed
from weft.compiler.http_filters import dynamic_forward_proxy
from weft.compiler.http_filters.access import on_routes
from weft.compiler.http_filters.breakers import guard_shares
from weft.compiler.http_filters.chain import per_filter
from weft.compiler.http_filters.claims import NOBODY, Readers, Telling, are_asked_for, telling_of
from weft.compiler.http_filters.extras import extras_of
from weft.compiler.matches import route_match
from weft.compiler.names import (
    HTTP_PROXY,
    ORIGINAL_CLUSTER,
    PASSTHROUGH_CLUSTER,
    captured_route_name,
    cluster_name,
    egress_name,
    gateway_route_name,
    upstream_route_name,
)
from weft.compiler.quic import invitation
from weft.compiler.resource import ROUTES, Resource, resource, weight
from weft.compiler.wire import milliseconds, number, packed, serialized
from weft.kit.memo import memo, memo_within
from weft.kit.runs import Run, joined, runs_of
from weft.model.match import ANY_REQUEST, asks_for_tunnels
from weft.model.reporting import PEER_HEADER
from weft.model.route import Backend, Destination, DirectResponse, Forward, Headers, Redirect
from weft.view.view import EgressPort, GatewayRoutes, Route, Target, VirtualHost

_BODY_LIMIT = 1_048_576
_HTTP = 80
_KEPT = 16 * 1024 * 1024
"""Bytes of route configurations that are remembered: each change of a large one makes all of it anew."""
_VIA = "weft-passthrough"


@memo_within(_KEPT, weight)
def http_proxy_routes(
    virtual_hosts: tuple[VirtualHost, ...], allow_any: bool, egress_proxy: Target | None = None
) -> Resource:
    """The routes of the local HTTP proxy: every name with its port, port 80 without; no domain twice."""
    body = serialized(_configuration(HTTP_PROXY))
    named = _named(virtual_hosts, _with_port)
    return resource(ROUTES, HTTP_PROXY, b"".join((body, *named, _strangers(allow_any, egress_proxy))))


@memo_within(_KEPT, weight)
def egress_routes(port: EgressPort) -> Resource:
    """The routes of a listener that a Sidecar asks for: by name, the port that was called does not matter.

    A listener for any port wants names with ports, as an HTTP proxy does.
    """
    name = egress_name(port)
    configuration = _configuration(name)
    configuration.ignore_port_in_host_matching = not port.any_port
    named = _named(port.virtual_hosts, _with_port if port.any_port else _without_port)
    strangers = _strangers(port.allow_any, port.egress_proxy)
    return resource(ROUTES, name, b"".join((serialized(configuration), *named, strangers)))


@memo_within(_KEPT, weight)
def captured_routes(
    number: int, virtual_hosts: tuple[VirtualHost, ...], allow_any: bool, egress_proxy: Target | None = None
) -> Resource:
    """The routes of captured requests to a port, by host; whatever port a host is written with."""
    name = captured_route_name(number)
    configuration = _configuration(name)
    configuration.ignore_port_in_host_matching = True
    named = _named(virtual_hosts, _without_port)
    strangers = _onward() if allow_any and egress_proxy is None else _strangers(allow_any, egress_proxy)
    return resource(ROUTES, name, b"".join((serialized(configuration), *named, strangers)))


@memo(1)
def _onward() -> bytes:
    """To the address that the request was sent to; nothing comes round again from there."""
    action = RouteAction(cluster=ORIGINAL_CLUSTER, timeout=milliseconds(0))
    onward = EnvoyRoute(name="allow_any", match=RouteMatch(prefix="/"), route=action)
    host = EnvoyVirtualHost(name="allow_any", domains=["*"], routes=[onward])
    return serialized(RouteConfiguration(virtual_hosts=[host]))


_DomainsOf = Callable[[VirtualHost], list[str]]


def _named(virtual_hosts: tuple[VirtualHost, ...], domains_of: _DomainsOf) -> list[bytes]:
    """Virtual hosts as parts of a route configuration; of two that have a domain, the first."""
    runs = runs_of(virtual_hosts)
    every = joined(_domains(run, domains_of) for run in runs)
    if len({"*", *every}) > len(every):
        return [_run_of_hosts(run, domains_of) for run in runs]
    taken: set[str] = {"*"}
    body: list[bytes] = []
    for host in virtual_hosts:
        domains = tuple(domain for domain in domains_of(host) if domain.lower() not in taken)
        taken.update(domain.lower() for domain in domains)
        if domains:
            body.append(_virtual_host(host, domains))
    return body


@memo(8192)
def _domains(run: Run[VirtualHost], domains_of: _DomainsOf) -> tuple[str, ...]:
    return tuple(domain.lower() for host in run.items for domain in domains_of(host))


@memo_within(2 * _KEPT, len)
def _run_of_hosts(run: Run[VirtualHost], domains_of: _DomainsOf) -> bytes:
    """Virtual hosts whose domains no other has."""
    return b"".join(_virtual_host(host, tuple(domains_of(host))) for host in run.items if host.domains)


@memo(16384)
def upstream_routes(target: Target, found: VirtualHost | None) -> Resource:
    """The routes of the local ports that stand for a target, whatever authority the caller writes.

    A target that the mesh does not know is still routed, to a cluster that is not there: callers read a 503.
    """
    name = upstream_route_name(target)
    host = found or VirtualHost(host=target.host, port=target.port, domains=(), routes=(_straight(target),))
    return resource(ROUTES, name, serialized(_configuration(name)) + _virtual_host(host, ("*",)))


@memo_within(_KEPT, weight)
def gateway_routes(routes: GatewayRoutes, readers: Readers = NOBODY) -> Resource:
    """The routes of a gateway's port or TLS server; hosts are matched without the port that the client wrote.

    ``readers`` of claims are those of the whole gateway.
    """
    name = gateway_route_name(routes.key)
    configuration = _configuration(name)
    configuration.ignore_port_in_host_matching = True
    door = gateway_door(routes.guards, routes.key.port, routes.norms, tls=bool(routes.key.server))
    if routes.http3:
        configuration.response_headers_to_add.append(invitation(routes.key.port))
    hosts = [_run_of_hosts(run, _without_port) for run in runs_of(routes.virtual_hosts)]
    for filter_name, said in on_routes(door, _telling(routes, hosts, readers)).items():
        configuration.typed_per_filter_config[filter_name].CopyFrom(said)
    return resource(ROUTES, name, b"".join((serialized(configuration), *hosts)))


def _telling(routes: GatewayRoutes, compiled: list[bytes], readers: Readers) -> Telling:
    if routes.guards.tokens and are_asked_for(compiled):
        return Telling.WORDS
    limits = (*readers.limits, *extras_of(routes.virtual_hosts).limits)
    return telling_of(routes.guards, replace(readers, told=routes.norms.telemetry.client, limits=limits))


def _straight(target: Target) -> Route:
    destination = Destination(host=target.host, subset=target.subset, port=target.port)
    return Route(match=ANY_REQUEST, action=Forward(backends=(Backend(destination=destination),)))


def _configuration(name: str) -> RouteConfiguration:
    """What weft's own header says, whoever wrote it, stays here; clusters of the mesh write theirs afterwards."""
    return RouteConfiguration(
        name=name,
        max_direct_response_body_size_bytes=number(_BODY_LIMIT),
        request_headers_to_remove=[PEER_HEADER],
    )


def _with_port(host: VirtualHost) -> list[str]:
    """The authorities that callers of an explicit proxy write."""
    with_port = [f"{domain}:{host.port}" for domain in host.domains]
    return with_port + list(host.domains) if host.port == _HTTP else with_port


def _without_port(host: VirtualHost) -> list[str]:
    """The authorities that callers of a port of its own write; Envoy cuts off the port."""
    return list(host.domains)


@memo_within(2 * _KEPT, len)
def _virtual_host(host: VirtualHost, domains: tuple[str, ...]) -> bytes:
    """A virtual host as a part of a route configuration's bytes."""
    message = EnvoyVirtualHost(
        name=f"{host.host}:{host.port}",
        domains=domains,
        routes=[envoy_route(one, host.port) for one in host.routes],
        require_tls=EnvoyVirtualHost.ALL if host.https_only else EnvoyVirtualHost.NONE,
    )
    return serialized(RouteConfiguration(virtual_hosts=[message]))


def envoy_route(route: Route, called: int) -> EnvoyRoute:
    """One route; ``called`` is the port that the request was made to."""
    found = EnvoyRoute(
        name=route.name,
        match=route_match(route.match),
        stat_prefix=route.stat_prefix,
        typed_per_filter_config=per_filter(route),
    )
    match route.action:
        case Forward() as forward:
            _forward(found, route, forward)
        case Redirect() as redirect:
            found.redirect.CopyFrom(redirect_action(redirect, called))
            _change_headers(found, route.headers)
        case DirectResponse() as response:
            found.direct_response.CopyFrom(direct_response(response))
            _change_headers(found, route.headers)
    return found


def _forward(found: EnvoyRoute, route: Route, forward: Forward) -> None:
    """A single backend's headers are the route's, after its own."""
    headers = [route.headers]
    if len(forward.backends) == 1:
        headers.append(forward.backends[0].headers)
    found.route.CopyFrom(route_action(forward, headers, route.hash))
    guard_shares(found.route, route)
    if asks_for_tunnels(route.match):
        found.route.upgrade_configs.append(_tunnel(ends=route.ends_tunnels))
    _change_headers(found, *headers)


def _tunnel(*, ends: bool) -> RouteAction.UpgradeConfig:
    """A CONNECT is passed on as it is, or ends here, and its bytes go on alone."""
    config = RouteAction.UpgradeConfig.ConnectConfig() if ends else None
    return RouteAction.UpgradeConfig(upgrade_type="CONNECT", enabled=BoolValue(value=True), connect_config=config)


def _change_headers(found: EnvoyRoute, *headers: Headers) -> None:
    requests, responses = [one.request for one in headers], [one.response for one in headers]
    found.request_headers_to_add.extend(added(*requests))
    found.request_headers_to_remove.extend(removed(*requests))
    found.response_headers_to_add.extend(added(*responses))
    found.response_headers_to_remove.extend(removed(*responses))


@memo(256)
def _strangers(allow_any: bool, egress_proxy: Target | None) -> bytes:
    """Hosts outside the mesh: passed on by name or to a destination (Istio ALLOW_ANY), or refused with 502
    (REGISTRY_ONLY)."""
    if allow_any:
        onward = _pass_through() if egress_proxy is None else _pass_to(egress_proxy)
        message = EnvoyVirtualHost(name="allow_any", domains=["*"], routes=[_loop(), onward])
    else:
        refused = DirectResponseAction(status=502)
        route = EnvoyRoute(name="block_all", match=RouteMatch(prefix="/"), direct_response=refused)
        message = EnvoyVirtualHost(name="block_all", domains=["*"], routes=[route])
    return serialized(RouteConfiguration(virtual_hosts=[message]))


def _pass_to(target: Target) -> EnvoyRoute:
    return EnvoyRoute(
        name="allow_any",
        match=RouteMatch(prefix="/"),
        route=RouteAction(cluster=cluster_name(target), timeout=milliseconds(0)),
        request_headers_to_add=[_via()],
    )


def _pass_through() -> EnvoyRoute:
    enabled = {dynamic_forward_proxy.NAME: packed(dynamic_forward_proxy.enabled())}
    return EnvoyRoute(
        name="allow_any",
        match=RouteMatch(prefix="/"),
        route=RouteAction(cluster=PASSTHROUGH_CLUSTER, timeout=milliseconds(0)),
        request_headers_to_add=[_via()],
        typed_per_filter_config=enabled,
    )


def _via() -> HeaderValueOption:
    """By this a proxy knows a request that it has sent itself."""
    via = HeaderValue(key="via", value=f"1.1 {_VIA}")
    return HeaderValueOption(header=via, append_action=HeaderValueOption.APPEND_IF_EXISTS_OR_ADD)


def _loop() -> EnvoyRoute:
    """A request that passed here already named this proxy as its host: it would go round for ever."""
    return EnvoyRoute(
        name="loop",
        match=RouteMatch(prefix="/", headers=[HeaderMatcher(name="via", string_match=StringMatcher(contains=_VIA))]),
        direct_response=DirectResponseAction(status=508),
    )
