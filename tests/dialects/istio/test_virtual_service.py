"""VirtualServices: what is checked beyond recorded cases, and what they become."""

import pytest

from tests.dialects.documents import checked, codes, errors, fragment
from weft.dialects.codes import CODES
from weft.model.finding import Severity
from weft.model.match import Exact, HeaderMatch, HttpMatch, Prefix, Present, QueryMatch, Regex
from weft.model.route import (
    Abort,
    Delay,
    Destination,
    DirectResponse,
    Fault,
    Forward,
    HttpRule,
    Mirror,
    PathRewrite,
    Redirect,
    RegexRewrite,
    Retries,
    RouteTable,
)

REVIEWS = "reviews.shop.svc.cluster.local"
ROUTE = "route: [{destination: {host: reviews}}]"


def table(http: str, more: str = "") -> RouteTable:
    made = fragment("VirtualService", f"hosts: [reviews]\n{more}\nhttp:\n- {http}\n")
    return made.route_tables[0]


def rule(http: str) -> HttpRule:
    return table(http).http[0]


def forward(http: str) -> Forward:
    action = rule(f"{{{ROUTE}, {http}}}").action
    assert isinstance(action, Forward)
    return action


def match(text: str) -> HttpMatch:
    return rule(f"{{{ROUTE}, match: [{text}]}}").matches[0]


def said(http: str) -> list[tuple[str, str]]:
    return codes(checked("VirtualService", f"hosts: [reviews]\nhttp:\n- {http}\n"))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("reviews", REVIEWS),
        ("Reviews", REVIEWS),
        ("reviews.other", "reviews.other"),
        ("reviews.other.svc.cluster.local.", "reviews.other.svc.cluster.local"),
        ('"*.example.com"', "*.example.com"),
        ("10.0.0.1", "10.0.0.1"),
    ],
)
def test_a_short_name_is_of_the_own_namespace_and_any_other_is_whole(written: str, meant: str) -> None:
    made = fragment("VirtualService", f"hosts: [{written}]\nhttp: [{{redirect: {{uri: /}}}}]")
    assert made.route_tables[0].hosts == (meant,)


def test_without_gateways_the_rules_hold_in_sidecars() -> None:
    assert table(f"{{{ROUTE}}}").gateways == ("mesh",)
    more = "gateways: [mesh, edge, other/edge, edge.other.svc.cluster.local]"
    assert table(f"{{{ROUTE}}}", more).gateways == ("mesh", "shop/edge", "other/edge", "other/edge")


def test_a_match_says_what_istio_means_by_it() -> None:
    wanted = match(
        "{name: m, uri: {regex: /a.*}, method: {exact: GET}, scheme: {prefix: h}, authority: {}, port: 80,"
        " ignoreUriCase: true, headers: {b: {regex: '*'}, a: {exact: x}}, withoutHeaders: {c: {}},"
        " queryParams: {q: {exact: '1'}}, sourceLabels: {app: web}, sourceNamespace: shop}"
    )
    assert wanted == HttpMatch(
        name="m",
        path=Regex(value="/a.*"),
        ignore_case=True,
        method=Exact(value="GET"),
        scheme=Prefix(value="h"),
        authority=Present(),
        headers=(
            HeaderMatch(name="a", match=Exact(value="x")),
            HeaderMatch(name="b", match=Present()),
            HeaderMatch(name="c", match=Present(), inverted=True),
        ),
        query=(QueryMatch(name="q", match=Exact(value="1")),),
        port=80,
        source_labels=(("app", "web"),),
        source_namespace="shop",
    )


def test_what_a_match_says_of_callers_is_kept_beside_its_gateways_for_delegates_to_be_compared_with() -> None:
    wanted = match("{gateways: [mesh], sourceLabels: {app: web}, sourceNamespace: shop}")
    assert (wanted.gateways, wanted.source_labels, wanted.source_namespace) == (("mesh",), (("app", "web"),), "shop")


def test_an_empty_path_matches_every_path() -> None:
    assert match("{uri: {prefix: ''}}").path is None
    assert match("{uri: {}}").path is None


def test_a_destination_alone_gets_everything_whatever_its_weight() -> None:
    made = rule("route: [{destination: {host: reviews, subset: v1, port: {number: 80}}, weight: 5}]").action
    assert isinstance(made, Forward)
    assert [(backend.destination, backend.weight) for backend in made.backends] == [
        (Destination(host=REVIEWS, subset="v1", port=80), 100)
    ]


def test_weights_are_shares_and_the_one_that_is_unset_is_none() -> None:
    made = rule("route: [{destination: {host: a.b}, weight: 100}, {destination: {host: c.d}}]").action
    assert isinstance(made, Forward)
    assert [backend.weight for backend in made.backends] == [100, 0]


def test_weights_that_do_not_add_up_to_100_are_told_with_their_sum_and_served() -> None:
    http = "route: [{destination: {host: a.b}, weight: 50}, {destination: {host: c.d}, weight: 60}]"
    (finding,) = checked("VirtualService", f"hosts: [reviews]\nhttp:\n- {http}\n")
    assert (finding.code, finding.severity) == ("W0103", Severity.WARNING)
    assert finding.message == "weights of a route add up to 110, not 100"
    assert finding.path == ("spec", "http", 0, "route", 1, "weight")
    assert len(table(http).http) == 1


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("{attempts: 0}", Retries(attempts=0)),
        ("{}", Retries(attempts=0)),
        ("{attempts: 3}", Retries(attempts=3)),
        ("{attempts: 1, retryOn: '5xx'}", Retries(attempts=1, on=("5xx",))),
        (
            "{attempts: 1, retryOn: 'reset,503,429'}",
            Retries(attempts=1, on=("reset", "retriable-status-codes"), codes=(503, 429)),
        ),
        (
            "{attempts: 2, perTryTimeout: 250ms, backoff: 10ms, retryRemoteLocalities: true,"
            " retryIgnorePreviousHosts: false}",
            Retries(attempts=2, per_try_timeout=250, backoff=10, remote_localities=True, ignore_previous_hosts=False),
        ),
    ],
)
def test_retries_begin_with_the_default_of_the_mesh(written: str, meant: Retries) -> None:
    assert forward(f"retries: {written}").retries == meant


def test_unset_retries_and_timeout_stay_unset() -> None:
    assert (forward("name: a").retries, forward("name: a").timeout) == (None, None)
    assert forward("timeout: 1m30s").timeout == 90_000


def test_faults_without_a_share_are_shares_of_nothing() -> None:
    made = rule(f"{{{ROUTE}, fault: {{delay: {{fixedDelay: 2s}}, abort: {{grpcStatus: UNAVAILABLE}}}}}}")
    assert made.fault == Fault(delay=Delay(fixed=2000), abort=Abort(grpc_status=14))
    half = rule(f"{{{ROUTE}, fault: {{abort: {{httpStatus: 503, percentage: {{value: 0.5}}}}}}}}")
    assert half.fault == Fault(abort=Abort(http_status=503, percent=0.5))


def test_mirrors_have_their_shares_and_one_of_nothing_says_so() -> None:
    one, other = Destination(host="a.b"), Destination(host="c.d")
    assert forward("mirror: {host: a.b}").mirrors == (Mirror(destination=one),)
    assert forward("mirror: {host: a.b}, mirrorPercentage: {value: 0}").mirrors == (
        Mirror(destination=one, percent=0.0),
    )
    assert forward("mirror: {host: a.b}, mirrorPercent: 5").mirrors == (Mirror(destination=one, percent=5.0),)
    assert forward("mirror: {host: a.b}, mirror_percent: 6").mirrors == (Mirror(destination=one, percent=6.0),)
    several = "mirrors: [{destination: {host: a.b}, percentage: {value: 1}}, {destination: {host: c.d}}]"
    assert forward(several).mirrors == (Mirror(destination=one, percent=1.0), Mirror(destination=other))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("{uri: /new}", Redirect(path="/new")),
        ("{prefixRewrite: /new, redirectCode: 308}", Redirect(path_prefix="/new", code=308)),
        ("{authority: a.b, scheme: https, port: 8443}", Redirect(authority="a.b", scheme="https", port=8443)),
        ("{derivePort: FROM_PROTOCOL_DEFAULT}", Redirect(port_from_protocol=True)),
        ("{derivePort: FROM_REQUEST_PORT}", Redirect(port_from_request=True)),
    ],
)
def test_redirects(written: str, meant: Redirect) -> None:
    assert rule(f"redirect: {written}").action == meant


def test_answers_are_texts_or_bytes() -> None:
    assert rule("directResponse: {status: 503, body: {string: hé}}").action == DirectResponse(
        status=503, body="hé".encode()
    )
    assert rule("directResponse: {status: 200, body: {bytes: AAE=}}").action == DirectResponse(status=200, body=b"\0\1")


def test_rewrites_of_path_and_authority() -> None:
    assert forward("rewrite: {uri: /x, authority: a.b}").rewrite.path == PathRewrite(to="/x")
    pattern = forward(r"rewrite: {uriRegexRewrite: {match: '^/a/(.*)$', rewrite: '/b/\1'}}").rewrite.path
    assert pattern == RegexRewrite(pattern="^/a/(.*)$", substitution=r"/b/\1")


@pytest.mark.parametrize("verb", ["set", "add"])
@pytest.mark.parametrize("name", ["host", "Host", '":authority"'])
def test_a_change_of_the_authority_is_a_rewrite_and_no_header(verb: str, name: str) -> None:
    made = rule(f"{{{ROUTE}, headers: {{request: {{{verb}: {{{name}: a.b, x: y}}}}}}}}")
    assert isinstance(made.action, Forward)
    assert made.action.rewrite.authority == "a.b"
    assert getattr(made.headers.request, verb) == (("x", "y"),)


def test_every_destination_is_a_reference_with_its_place() -> None:
    made = fragment(
        "VirtualService",
        "hosts: [a]\nhttp: [{redirect: {uri: /}}, {route: [{destination: {host: b}}], mirror: {host: c.d}}]",
    )
    assert [(reference.destination.host, reference.path) for reference in made.references] == [
        ("b.shop.svc.cluster.local", ("spec", "http", 1, "route", 0, "destination")),
        ("c.d", ("spec", "http", 1, "mirror")),
    ]


@pytest.mark.parametrize(
    ("http", "path"),
    [
        ("{fault: {abort: {http2Error: X}}, ROUTE}", "spec.http.0.fault.abort.http2Error"),
        ("{fault: {delay: {exponentialDelay: 1s}}, ROUTE}", "spec.http.0.fault.delay.exponentialDelay"),
        ("{redirect: {uri: /, redirectCode: 305}}", "spec.http.0.redirect.redirectCode"),
    ],
)
def test_what_is_not_served_is_refused_by_name(http: str, path: str) -> None:
    written = f"hosts: [reviews]\nhttp:\n- {http}\n".replace("ROUTE", ROUTE)
    (finding,) = errors(checked("VirtualService", written))
    assert (finding.code, ".".join(map(str, finding.path))) == ("W0110", path)
    assert finding.message.endswith("is not served by this version of weft")
    assert finding.help


@pytest.mark.parametrize(
    ("gateways", "warned"), [("[shop/edge]", True), ("[mesh, shop/edge]", False), ("[mesh]", False)]
)
def test_what_gateways_do_not_look_at_is_told_of(gateways: str, warned: bool) -> None:
    match = "{port: 80, sourceLabels: {app: web}, destinationSubnets: [10.0.0.0/8]}"
    spec = f"hosts: [a.b]\ngateways: {gateways}\ntcp: [{{match: [{match}], {ROUTE}}}]"
    paths = ["spec.tcp.0.match.0.destinationSubnets", "spec.tcp.0.match.0.sourceLabels"]
    found = checked("VirtualService", spec)
    assert codes(found) == ([("W0128", path) for path in paths] if warned else [])
    assert not errors(found)


@pytest.mark.parametrize(
    ("protocol", "match", "found"),
    [
        ("tcp", "{port: 80, destinationSubnets: [10.0.0.0/8]}", []),
        ("tcp", "{sourceSubnet: 10.0.0.0/8}", []),
        ("tcp", "{sourceSubnet: 10.0.0.0/33}", [("W0116", "spec.tcp.0.match.0.sourceSubnet")]),
        ("tcp", "{destinationSubnets: [ten]}", [("W0116", "spec.tcp.0.match.0.destinationSubnets.0")]),
        ("tls", "{sniHosts: [a.b]}", []),
        ("tls", "{sniHosts: [x.c.d, '*.x.c.d']}", []),
        ("tls", "{sniHosts: [x.a.b]}", [("W0107", "spec.tls.0.match.0.sniHosts.0")]),
        ("tls", "{sniHosts: ['*x.c.d']}", [("W0110", "spec.tls.0.match.0.sniHosts.0")]),
        ("tls", "{port: 80}", [("W0105", "spec.tls.0.match.0")]),
    ],
)
def test_matches_of_connections_are_checked(protocol: str, match: str, found: list[tuple[str, str]]) -> None:
    spec = f"hosts: [a.b, '*.c.d']\n{protocol}: [{{match: [{match}], route: [{{destination: {{host: a.b}}}}]}}]"
    assert codes(checked("VirtualService", spec)) == found


@pytest.mark.parametrize(
    ("regex", "reason"),
    [
        ("(", "missing )"),
        ("(?=a)", "invalid perl operator"),
        (r"(a)\1", "invalid escape"),
        ("a" * 1025, "1025 characters"),
        ("((a{1,100}){1,100}){1,100}", "invalid repetition size"),
        ("(?:a{1,1000}b{1,1000}c{1,1000}){1}" + "[^x]{900}" * 40, "steps|too large"),
    ],
)
def test_an_expression_that_a_proxy_would_refuse_is_refused_at_its_place(regex: str, reason: str) -> None:
    spec = {"hosts": ["a"], "http": [{"match": [{"uri": {"regex": regex}}], "redirect": {"uri": "/"}}]}
    (finding,) = checked("VirtualService", spec)
    assert (finding.code, finding.path) == ("W0109", ("spec", "http", 0, "match", 0, "uri", "regex"))
    assert any(part in finding.message for part in reason.split("|")), finding.message


@pytest.mark.parametrize(
    ("http", "expected"),
    [
        ("{timeout: 0s, ROUTE}", ("W0108", "spec.http.0.timeout")),
        ("{match: [{uri: {exact: a, prefix: b}}], ROUTE}", ("W0106", "spec.http.0.match.0.uri")),
        ("{match: [{port: 70000}], ROUTE}", ("W0115", "spec.http.0.match.0.port")),
        ("{match: [{sourceNamespace: a b}], ROUTE}", ("W0122", "spec.http.0.match.0.sourceNamespace")),
        ("{redirect: {uri: /, scheme: ftp}}", ("W0102", "spec.http.0.redirect.scheme")),
        ("{redirect: {uri: /}, fault: {abort: {httpStatus: 500}}}", ("W0106", "spec.http.0.fault")),
        ("{redirect: {uri: /}, directResponse: {status: 200}}", ("W0106", "spec.http.0.directResponse")),
        ("{directResponse: {status: 200, body: {bytes: '!'}}}", ("W0102", "spec.http.0.directResponse.body.bytes")),
        ("{retries: {attempts: 1, retryOn: '5xx, 503'}, ROUTE}", ("W0120", "spec.http.0.retries.retryOn")),
        ("{fault: {}, ROUTE}", ("W0105", "spec.http.0.fault")),
        ('{headers: {request: {set: {":path": x}}}, ROUTE}', ("W0128", "spec.http.0.headers.request.set.:path")),
        ('{headers: {request: {set: {a: "b\\nc"}}}, ROUTE}', ("W0112", "spec.http.0.headers.request.set.a")),
    ],
)
def test_a_mistake_is_told_at_its_place(http: str, expected: tuple[str, str]) -> None:
    assert expected in said(http.replace("ROUTE", ROUTE))
    assert expected[0] in CODES


def test_a_rule_after_one_that_takes_everything_is_told() -> None:
    spec = f"hosts: [a]\nhttp: [{{{ROUTE}}}, {{match: [{{uri: {{exact: /x}}}}], {ROUTE}}}]"
    assert codes(checked("VirtualService", spec)) == [("W0118", "spec.http.1")]


def test_the_same_match_twice_is_told() -> None:
    spec = f"hosts: [a]\nhttp: [{{match: [{{uri: {{exact: /x}}}}, {{uri: {{exact: /x}}}}], {ROUTE}}}]"
    assert codes(checked("VirtualService", spec)) == [("W0118", "spec.http.0.match.1")]


def test_a_prefix_that_asks_for_more_hides_nothing() -> None:
    first = "{uri: {prefix: /a}, headers: {x: {exact: y}}}"
    spec = f"hosts: [a]\nhttp: [{{match: [{first}], {ROUTE}}}, {{match: [{{uri: {{prefix: /ab}}}}], {ROUTE}}}]"
    assert checked("VirtualService", spec) == ()
