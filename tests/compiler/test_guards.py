"""The filters of limits and breakers: what Envoy takes, and that nobody else pays for them."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.compiler.bootstrap import check_with_envoy, listeners, manager_of
from weft.compiler.resources import resources_of
from weft.model.breaker import Breaker
from weft.model.limits import (
    Answer,
    ByAddress,
    ByClaim,
    ByHeader,
    ByIdentity,
    ByMethod,
    ByPath,
    ByQuery,
    Connections,
    Limit,
    RateLimits,
    Requests,
)
from weft.model.match import ANY_REQUEST, Exact, HeaderMatch, Prefix, Present, QueryMatch
from weft.model.route import Backend, Destination, Forward
from weft.model.security import MtlsMode
from weft.model.service import Protocol
from weft.view.view import (
    GatewayChain,
    GatewayPort,
    GatewayRoutes,
    Guarded,
    HttpProxyPort,
    InboundPort,
    Outbound,
    Route,
    RoutesKey,
    View,
    VirtualHost,
)

_EVERYTHING = (
    ByIdentity(),
    ByAddress(),
    ByAddress(ipv4_bits=8, ipv6_bits=48),
    ByHeader(name="x-user"),
    ByQuery(name="user"),
    ByPath(),
    ByMethod(),
    ByClaim(path=("tenant", "id")),
)
_WHEN = Requests(
    path=Exact(value="/a+b"),
    methods=("GET", "POST"),
    headers=(HeaderMatch(name="x-a", match=Present()), HeaderMatch(name="x-b", match=Prefix(value="b"))),
    query=(QueryMatch(name="q", match=Exact(value="1")),),
    identities=("spiffe://cluster.local/ns/shop/sa/web",),
)
_LIMITS = RateLimits(
    name="shop/all",
    limits=(
        Limit(name="local", requests=5, period=86_400, burst=7, by=_EVERYTHING, counted=_WHEN, cost=2),
        Limit(name="shadow", requests=5, period=1, burst=5, shadow=True),
        Limit(name="global", requests=5, period=60, burst=5, shared=True, by=_EVERYTHING, counted=_WHEN),
    ),
    connections=Connections(rate=10, period=1, burst=20),
    answer=Answer(status=503, headers=(("x-why", "100% busy"),)),
    closed=True,
)
_BREAKER = Breaker(name="shop/all", failure_rate=50, window=10_000, slow_call=100, slow_rate=10)
_HERE = Destination(host="reviews", port=9080)
_THERE = Destination(host="ratings", port=9080)


def _route(*destinations: Destination) -> Route:
    shares = tuple(Backend(destination=one, weight=50) for one in destinations)
    guarded = tuple(Guarded(destination=one, breaker=_BREAKER) for one in destinations)
    return Route(match=ANY_REQUEST, action=Forward(backends=shares), breakers=guarded, limits=_LIMITS)


def _hosts(*routes: Route) -> tuple[VirtualHost, ...]:
    return (VirtualHost(host="reviews", port=9080, domains=("reviews",), routes=routes),)


def _view(*routes: Route) -> View:
    return View(
        trust_domain="cluster.local",
        outbound=Outbound(virtual_hosts=_hosts(*routes)),
        http_proxy=HttpProxyPort(bind="127.0.0.1", bind_port=15001),
    )


def _inbound(protocol: Protocol, limits: RateLimits | None) -> View:
    port = InboundPort(
        name="http",
        port=9080,
        protocol=protocol,
        bind="127.0.0.1",
        bind_port=21001,
        app="127.0.0.1",
        app_port=9081,
        mtls=MtlsMode.PERMISSIVE,
        limits=limits,
    )
    return View(trust_domain="cluster.local", inbound=(port,))


def _gateway(limits: RateLimits | None) -> View:
    key = RoutesKey(port=80)
    chain = GatewayChain(name="http", to=key, limits=limits)
    return View(
        trust_domain="cluster.local",
        gateway_ports=(GatewayPort(bind="127.0.0.1", bind_port=8080, port=80, chains=(chain,)),),
        gateway_routes=(GatewayRoutes(key=key, virtual_hosts=_hosts(_route(_HERE))),),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "view",
    [
        _view(_route(_HERE), _route(_HERE, _THERE)),
        _inbound(Protocol.HTTP, _LIMITS),
        _inbound(Protocol.TCP, _LIMITS),
        _gateway(replace(_LIMITS, name="shop/gateway")),
    ],
    ids=["outbound", "inbound", "tcp", "gateway"],
)
def test_envoy_takes_every_kind_of_limit_and_breaker(view: View, tmp_path: Path):
    check_with_envoy(resources_of(view), tmp_path)


def _filters(view: View) -> list[str]:
    (listener,) = listeners(resources_of(view)).values()
    return [one.name for one in manager_of(listener).http_filters]


def test_limits_and_breakers_stand_before_faults_and_only_where_a_route_wants_them():
    names = _filters(_view(_route(_HERE)))
    own = ["weft.local_rate_limit.shop/all", "weft.rate_limit.shop/all", "weft.circuit_breaker"]
    assert [name for name in names if name.startswith("weft.")] == ["weft.tap.out", *own]
    assert names.index("envoy.filters.http.cors") < names.index(own[0])
    assert names.index(own[2]) < names.index("envoy.filters.http.fault")
    bare = _filters(_view(replace(_route(_HERE), breakers=(), limits=None)))
    assert [name for name in names if name not in own] == bare


def test_a_gateways_own_limits_hold_for_everything_and_a_routes_for_the_route():
    (listener,) = listeners(resources_of(_gateway(replace(_LIMITS, name="shop/gateway")))).values()
    disabled = {one.name: one.disabled for one in manager_of(listener).http_filters if "rate_limit" in one.name}
    assert disabled == {
        "weft.local_rate_limit.shop/gateway": False,
        "weft.rate_limit.shop/gateway": False,
        "weft.local_rate_limit.shop/all": True,
        "weft.rate_limit.shop/all": True,
    }
