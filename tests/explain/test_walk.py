"""Imagined calls through what the compiler really makes."""

import pytest

from weft.compiler.resource import Resources
from weft.compiler.resources import resources_of
from weft.explain.call import Explanation, State, parse_call
from weft.explain.walk import explain
from weft.kit.errors import UserError
from weft.model.match import Exact, HeaderMatch, HttpMatch, Prefix, QueryMatch, Regex
from weft.model.route import Abort, Backend, Destination, DirectResponse, Fault, Forward, Mirror, Redirect
from weft.model.service import Protocol, Resolution
from weft.view.view import (
    Endpoint,
    EndpointSet,
    HttpProxyPort,
    MeshTls,
    Outbound,
    Route,
    Target,
    Upstream,
    UpstreamPort,
    View,
    VirtualHost,
)

HOST = "reviews.shop.svc.cluster.local"
REVIEWER = "spiffe://cluster.local/ns/shop/sa/reviews"
V1 = Target(host=HOST, port=9080, subset="v1")
V2 = Target(host=HOST, port=9080, subset="v2")
LEDGER = Target(host="ledger.shop.svc.cluster.local", port=7000)
TLS = MeshTls(identities=(REVIEWER,), sni="reviews", always=True)


def upstream(target: Target, protocol: Protocol = Protocol.HTTP) -> Upstream:
    return Upstream(target=target, protocol=protocol, resolution=Resolution.STATIC, http2=protocol.is_http, tls=TLS)


def endpoints(target: Target, *ports: int) -> EndpointSet:
    found = tuple(Endpoint(address="127.0.0.1", port=port, meshed=True) for port in ports)
    return EndpointSet(target=target, endpoints=found)


def to(target: Target, weight: int = 100) -> Backend:
    return Backend(destination=Destination(host=target.host, subset=target.subset, port=target.port), weight=weight)


def route(action: object, match: HttpMatch | None = None, name: str = "", fault: Fault | None = None) -> Route:
    return Route(match=match or HttpMatch(), action=action, name=name, fault=fault)  # type: ignore[arg-type]


def resources(*routes: Route, ports: tuple[EndpointSet, ...] | None = None) -> Resources:
    sets = ports if ports is not None else (endpoints(V1, 21001), endpoints(V2, 21002), endpoints(LEDGER, 21003))
    outbound = Outbound(
        upstreams=(upstream(LEDGER, Protocol.TCP), upstream(V1), upstream(V2)),
        endpoints=sets,
        virtual_hosts=(VirtualHost(host=HOST, port=9080, domains=("reviews", HOST), routes=routes),),
    )
    view = View(
        trust_domain="cluster.local",
        outbound=outbound,
        http_proxy=HttpProxyPort(bind="127.0.0.1", bind_port=15001, allow_any=False),
        upstream_ports=(UpstreamPort(bind="127.0.0.1", bind_port=15002, target=LEDGER, protocol=Protocol.TCP),),
    )
    return resources_of(view)


def asked(of: Resources, url: str, *headers: tuple[str, str], method: str = "GET") -> Explanation:
    return explain(of, parse_call(method, url, headers))


def step(found: Explanation, name: str) -> str:
    return next(" ".join((one.what, *one.details)) for one in found.steps if one.name == name)


def test_a_plain_call_is_followed_to_the_identity_of_its_peer() -> None:
    found = asked(resources(route(Forward(backends=(to(V1),)))), "http://reviews:9080/reviews/1")
    assert found.ok
    assert [one.name for one in found.steps] == [
        "listener", "virtual host", "route", "action", "cluster", "endpoints", "identity",
    ]  # fmt: skip
    assert "127.0.0.1:15001" in step(found, "listener")
    assert "127.0.0.1:21001" in step(found, "endpoints")
    assert REVIEWER in step(found, "identity")


def test_weights_are_told_as_percentages_of_each_cluster() -> None:
    found = asked(resources(route(Forward(backends=(to(V1, 90), to(V2, 10))))), "http://reviews:9080/")
    shares = [one.what for one in found.steps if one.name == "cluster"]
    assert shares == [f"90 % to outbound|9080|v1|{HOST}", f"10 % to outbound|9080|v2|{HOST}"]


def test_a_header_decides_which_route_takes_the_call_and_the_other_says_what_it_wanted() -> None:
    header = HeaderMatch(name="x-user", match=Exact(value="ann"))
    of = resources(
        route(Forward(backends=(to(V2),)), HttpMatch(headers=(header,)), "ann"),
        route(Forward(backends=(to(V1),)), name="rest"),
    )
    ann = asked(of, "http://reviews:9080/", ("X-User", "ann"))
    rest = asked(of, "http://reviews:9080/")
    assert "|v2|" in step(ann, "cluster")
    assert "|v1|" in step(rest, "cluster")
    assert "wants header x-user is ann" in step(rest, "route")


def test_an_inverted_header_takes_calls_without_it() -> None:
    header = HeaderMatch(name="x-user", match=Exact(value="ann"), inverted=True)
    of = resources(
        route(Forward(backends=(to(V2),)), HttpMatch(headers=(header,))),
        route(Forward(backends=(to(V1),))),
    )
    assert "|v2|" in step(asked(of, "http://reviews:9080/"), "cluster")
    assert "|v2|" in step(asked(of, "http://reviews:9080/", ("x-user", "bob")), "cluster")
    assert "|v1|" in step(asked(of, "http://reviews:9080/", ("x-user", "ann")), "cluster")


@pytest.mark.parametrize(
    ("match", "taken", "left"),
    [
        (HttpMatch(path=Exact(value="/a")), "/a?x=1", "/a/b"),
        (HttpMatch(path=Prefix(value="/a")), "/ab", "/b/a"),
        (HttpMatch(path=Prefix(value="/A"), ignore_case=True), "/ab", "/b"),
        (HttpMatch(path=Regex(value="/v[0-9]+")), "/v12?x", "/v12/x"),
        (HttpMatch(query=(QueryMatch(name="q", match=Exact(value="1")),)), "/?p=0&q=1", "/?q=2"),
    ],
)
def test_paths_and_queries_are_matched_as_envoy_does(match: HttpMatch, taken: str, left: str) -> None:
    of = resources(route(Forward(backends=(to(V1),)), match))
    assert asked(of, f"http://reviews:9080{taken}").ok
    missed = asked(of, f"http://reviews:9080{left}")
    assert not missed.ok
    assert "404" in missed.outcome


def test_a_method_is_a_condition_like_any_header() -> None:
    of = resources(route(Forward(backends=(to(V1),)), HttpMatch(method=Exact(value="POST"))))
    assert asked(of, "http://reviews:9080/", method="post").ok
    assert "method is POST" in step(asked(of, "http://reviews:9080/"), "route")


def test_an_unknown_host_fails_at_the_virtual_host_and_says_what_is_known() -> None:
    found = asked(resources(route(Forward(backends=(to(V1),)))), "http://revews:9080/")
    assert not found.ok
    assert "nothing answers for revews:9080" in found.outcome
    assert "reviews" in step(found, "virtual host")


def test_a_cluster_without_endpoints_fails_the_call() -> None:
    found = asked(resources(route(Forward(backends=(to(V1),))), ports=()), "http://reviews:9080/")
    assert not found.ok
    assert "no endpoints: 503" in found.outcome


def test_a_host_outside_the_mesh_is_passed_on_by_its_name() -> None:
    view = View(trust_domain="cluster.local", http_proxy=HttpProxyPort(bind="127.0.0.1", bind_port=15001))
    found = asked(resources_of(view), "http://example.com/")
    assert found.ok
    assert step(found, "cluster") == "100 % to PassthroughCluster DYNAMIC_FORWARD_PROXY, CLUSTER_PROVIDED"
    assert step(found, "endpoints") == "the address that the request's host resolves to"


def test_a_mirror_without_endpoints_fails_nobody() -> None:
    mirror = Mirror(destination=Destination(host=HOST, subset="v2", port=9080), percent=50.0)
    of = resources(route(Forward(backends=(to(V1),), mirrors=(mirror,))), ports=(endpoints(V1, 21001),))
    found = asked(of, "http://reviews:9080/")
    assert found.ok
    assert State.SKIPPED in {one.state for one in found.steps}
    assert "a copy of 50 %" in [one.what for one in found.steps if one.name == "cluster"][1]


def test_redirects_and_direct_answers_end_the_way() -> None:
    moved = asked(resources(route(Redirect(authority="new", code=308))), "http://reviews:9080/")
    teapot = asked(resources(route(DirectResponse(status=418, body=b"short"))), "http://reviews:9080/")
    assert moved.ok
    assert moved.outcome.startswith("308, redirected to new")
    assert teapot.outcome == "418, answered by the sidecar itself: 'short'"


def test_an_injected_abort_of_everything_is_a_failure_of_a_part_is_told() -> None:
    forward = Forward(backends=(to(V1),))
    all_ = resources(route(forward, fault=Fault(abort=Abort(http_status=500, percent=100.0))))
    some = resources(route(forward, fault=Fault(abort=Abort(http_status=500, percent=12.5))))
    assert not asked(all_, "http://reviews:9080/").ok
    assert asked(some, "http://reviews:9080/").ok
    assert "12.5 % are answered with 500" in step(asked(some, "http://reviews:9080/"), "fault")


def test_a_tcp_call_takes_the_local_port_that_stands_for_its_host() -> None:
    of = resources(route(Forward(backends=(to(V1),))))
    by_name = asked(of, "tcp://ledger:7000")
    by_address = asked(of, "tcp://127.0.0.1:15002")
    assert by_name.ok
    assert by_address.ok
    assert step(by_name, "cluster") == step(by_address, "cluster")
    assert "100 % to outbound|7000||ledger" in step(by_name, "cluster")


def test_a_tcp_call_to_no_local_port_names_the_option_that_makes_one() -> None:
    found = asked(resources(route(Forward(backends=(to(V1),)))), "tcp://vault:1")
    assert not found.ok
    assert "--upstream vault:1" in found.outcome


@pytest.mark.parametrize("url", ["reviews/1", "ftp://reviews/", "http://", "http://reviews:port/"])
def test_what_is_no_url_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(UserError) as refused:
        parse_call("GET", url)
    assert refused.value.help
    assert "http://reviews:9080" in refused.value.help
