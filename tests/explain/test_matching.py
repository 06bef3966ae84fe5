"""Envoy's rules where they surprise, each against hand-written messages."""

import pytest

from weft._pb.envoy.config.route.v3.route_components_pb2 import HeaderMatcher, RouteMatch, VirtualHost
from weft._pb.envoy.type.matcher.v3.string_pb2 import StringMatcher
from weft.compiler.access.inputs import PAYLOAD, TOKEN_FILTER
from weft.compiler.matches import route_match
from weft.explain.call import parse_call
from weft.explain.claims import Told
from weft.explain.matching import header_matches, mismatch, virtual_host_for
from weft.model.match import ClaimMatch, Exact, HttpMatch, Present

HOSTS = [
    VirtualHost(name="any", domains=["*"]),
    VirtualHost(name="prefix", domains=["www.*"]),
    VirtualHost(name="long-prefix", domains=["www.shop.*"]),
    VirtualHost(name="suffix", domains=["*.com"]),
    VirtualHost(name="long-suffix", domains=["*.shop.com"]),
    VirtualHost(name="exact", domains=["WWW.shop.com"]),
]


@pytest.mark.parametrize(
    ("authority", "name"),
    [
        ("www.SHOP.com", "exact"),
        ("a.shop.com", "long-suffix"),
        ("www.other.com", "suffix"),
        ("www.shop.de", "long-prefix"),
        ("www.other.de", "prefix"),
        ("other", "any"),
        (".com", "any"),
    ],
)
def test_domains_are_searched_exact_then_suffixes_then_prefixes_then_any(authority: str, name: str) -> None:
    found = virtual_host_for(HOSTS, authority)
    assert found is not None
    assert found[0].name == name


def test_no_domain_is_no_virtual_host() -> None:
    assert virtual_host_for(HOSTS[5:], "other") is None


@pytest.mark.parametrize(
    ("matcher", "value", "matches"),
    [
        (HeaderMatcher(present_match=True), None, False),
        (HeaderMatcher(present_match=True, invert_match=True), None, True),
        (HeaderMatcher(present_match=False), None, True),
        (HeaderMatcher(present_match=False), "x", False),
        (HeaderMatcher(), "x", True),
        (HeaderMatcher(string_match=StringMatcher(exact="a"), invert_match=True), None, False),
        (
            HeaderMatcher(string_match=StringMatcher(exact="a"), invert_match=True, treat_missing_header_as_empty=True),
            None,
            True,
        ),
        (HeaderMatcher(string_match=StringMatcher(exact="a"), invert_match=True), "b", True),
        (HeaderMatcher(string_match=StringMatcher(prefix="A", ignore_case=True)), "abc", True),
        (HeaderMatcher(string_match=StringMatcher(safe_regex={"regex": "a+"})), "aab", False),
    ],
)
def test_headers_match_as_envoy_documents_it(matcher: HeaderMatcher, value: str | None, matches: bool) -> None:
    matcher.name = "x-h"
    call = parse_call("GET", "http://h/", (("x-h", value),) if value is not None else ())
    assert header_matches(matcher, call) is matches


def test_a_header_that_comes_twice_is_one_value_with_a_comma() -> None:
    matcher = HeaderMatcher(name="x-h", string_match=StringMatcher(exact="a,b"))
    assert header_matches(matcher, parse_call("GET", "http://h/", (("x-h", "a"), ("X-H", "b"))))


@pytest.mark.parametrize(
    ("path", "matches"), [("/foo", True), ("/foo/bar", True), ("/foobar", False), ("/foo?x", True)]
)
def test_separated_prefixes_end_at_a_slash(path: str, matches: bool) -> None:
    match = RouteMatch(path_separated_prefix="/foo")
    assert (mismatch(match, parse_call("GET", f"http://h{path}")) is None) is matches


def test_a_route_for_grpc_wants_its_content_type() -> None:
    match = RouteMatch(prefix="/", grpc=RouteMatch.GrpcRouteMatchOptions())
    assert mismatch(match, parse_call("POST", "http://h/")) == "is a gRPC call"
    assert mismatch(match, parse_call("POST", "grpc://h/s/m")) is None


@pytest.mark.parametrize(
    ("claims", "inverted", "taken"),
    [
        ({"group": "admin"}, False, True),
        ({"group": ["guest", "admin"]}, False, True),
        ({"group": {"admin": "admin"}}, False, False),
        ({"group": 1}, False, False),
        ({}, False, False),
        ({}, True, True),
        ({"group": "admin"}, True, False),
    ],
)
def test_claims_are_texts_or_lists_of_them(claims: dict[str, object], inverted: bool, taken: bool) -> None:
    wanted = ClaimMatch(keys=("group",), match=Exact(value="admin"), inverted=inverted)
    found = mismatch(route_match(HttpMatch(claims=(wanted,))), parse_call("GET", "http://shop/"), said(claims))
    words = "not (claim group is admin)" if inverted else "claim group is admin"
    assert found == (None if taken else words)


def said(claims: dict[str, object]) -> Told:
    return {TOKEN_FILTER: {PAYLOAD: claims}}


def test_a_claim_of_a_claim_is_found_by_both_keys() -> None:
    match = route_match(HttpMatch(claims=(ClaimMatch(keys=("realm", "roles"), match=Present()),)))
    call = parse_call("GET", "http://shop/")
    assert mismatch(match, call, said({"realm": {"roles": []}})) is None
    assert mismatch(match, call, said({"realm": "roles"})) == "claim realm.roles is present"


def test_a_tunnel_is_taken_by_a_rule_that_asks_for_it_and_by_no_other() -> None:
    tunnels = route_match(HttpMatch(method=Exact(value="CONNECT")))
    everything = route_match(HttpMatch())
    tunnel, call = parse_call("CONNECT", "http://shop:443/"), parse_call("GET", "http://shop/")
    assert mismatch(tunnels, tunnel) is None
    assert mismatch(tunnels, call) == "is a CONNECT"
    assert mismatch(everything, tunnel) == "has a path"
    assert mismatch(everything, call) is None
