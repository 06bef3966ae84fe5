"""Fields of routes, read back."""

import pytest

from weft._pb.envoy.config.core.v3.base_pb2 import HeaderValueOption
from weft._pb.envoy.config.route.v3.route_pb2 import RouteConfiguration
from weft.compiler.headers import escaped
from weft.compiler.routes import envoy_route, http_proxy_routes, upstream_routes
from weft.model.match import ANY_REQUEST, Exact, HeaderMatch, HttpMatch, PathPrefix, Prefix, Regex
from weft.model.route import (
    Backend,
    Destination,
    Forward,
    HeaderOperations,
    Headers,
    Mirror,
    Redirect,
    Retries,
    Rewrite,
)
from weft.view.view import Route, Target, VirtualHost

HOST = "reviews.shop.svc.cluster.local"


def backend(subset="", **changes) -> Backend:
    return Backend(destination=Destination(host=HOST, port=9080, subset=subset), **changes)


def route(action=None, match=ANY_REQUEST, called=9080, **changes):
    action = action or Forward(backends=(backend(),))
    return envoy_route(Route(match=match, action=action, **changes), called)


def host(domains, port=9080, name=HOST) -> VirtualHost:
    return VirtualHost(host=name, port=port, domains=domains, routes=(Route(match=ANY_REQUEST, action=_forward()),))


def _forward() -> Forward:
    return Forward(backends=(backend(),))


def domains(*hosts, allow_any=True):
    found = RouteConfiguration.FromString(http_proxy_routes(hosts, allow_any).body)
    return {one.name: list(one.domains) for one in found.virtual_hosts}


def test_callers_of_the_proxy_write_ports_and_leave_80_out():
    found = domains(host(("reviews", HOST)), host(("web",), 80, "web"))
    assert found[f"{HOST}:9080"] == ["reviews:9080", f"{HOST}:9080"]
    assert found["web:80"] == ["web:80", "web"]
    assert found["allow_any"] == ["*"]


def test_a_name_that_two_hosts_claim_is_the_firsts():
    found = domains(host(("api", "one")), host(("API", "two"), name="second"), host(("api",), name="third"))
    assert found[f"{HOST}:9080"] == ["api:9080", "one:9080"]
    assert found["second:9080"] == ["two:9080"]
    assert "third:9080" not in found


def test_unknown_hosts_are_refused_where_only_the_registry_counts():
    found = RouteConfiguration.FromString(http_proxy_routes((), False).body)
    (blocked,) = found.virtual_hosts
    assert blocked.routes[0].direct_response.status == 502


def test_a_local_port_takes_any_authority_and_an_unknown_target_is_still_routed():
    found = RouteConfiguration.FromString(upstream_routes(Target(host="x", port=1), None).body)
    assert list(found.virtual_hosts[0].domains) == ["*"]
    assert found.virtual_hosts[0].routes[0].route.cluster == "outbound|1||x"


def test_no_timeout_is_none_and_not_envoys_15_seconds():
    assert route().route.HasField("timeout")
    assert route().route.timeout.ToTimedelta().total_seconds() == 0
    assert route(Forward(backends=(backend(),), timeout=1500)).route.timeout.nanos == 500_000_000


def test_several_backends_are_weighted_and_keep_their_own_headers():
    own = Headers(request=HeaderOperations(set=(("x-a", "1"), ("host", "canary")), remove=("x-b",)))
    found = route(Forward(backends=(backend("v1", weight=90), backend("v2", weight=10, headers=own))))
    one, two = found.route.weighted_clusters.clusters
    assert (one.name, one.weight.value) == (f"outbound|9080|v1|{HOST}", 90)
    assert two.request_headers_to_add[0].append_action == HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
    assert list(two.request_headers_to_remove) == ["x-b"]
    assert two.host_rewrite_literal == "canary"
    assert [added.header.key for added in two.request_headers_to_add] == ["x-a"]


def test_the_routes_authority_comes_before_the_backends_and_a_rewrite_before_both():
    first, second = (Headers(request=HeaderOperations(set=((":authority", name),))) for name in ("route", "backend"))
    action = Forward(backends=(backend(headers=second),))
    assert route(action, headers=first).route.host_rewrite_literal == "route"
    assert route(action).route.host_rewrite_literal == "backend"
    rewritten = Forward(backends=(backend(headers=second),), rewrite=Rewrite(authority="rewrite"))
    assert route(rewritten, headers=first).route.host_rewrite_literal == "rewrite"


def test_retries_avoid_hosts_that_failed():
    policy = route(
        Forward(backends=(backend(),), retries=Retries(codes=(503,), per_try_timeout=200))
    ).route.retry_policy
    assert policy.num_retries.value == 2
    assert list(policy.retriable_status_codes) == [503]
    assert policy.retry_host_predicate[0].name == "envoy.retry_host_predicates.previous_hosts"
    assert policy.host_selection_retry_max_attempts == 5
    assert policy.per_try_timeout.nanos == 200_000_000
    none = route(Forward(backends=(backend(),), retries=Retries(attempts=0)))
    assert not none.route.HasField("retry_policy")


def test_a_mirror_keeps_the_host_name():
    mirror = Mirror(destination=Destination(host=HOST, port=9080, subset="v2"), percent=12.5)
    (policy,) = route(Forward(backends=(backend(),), mirrors=(mirror,))).route.request_mirror_policies
    assert policy.cluster == f"outbound|9080|v2|{HOST}"
    assert policy.disable_shadow_host_suffix_append
    assert policy.runtime_fraction.default_value.numerator == 125_000


@pytest.mark.parametrize(
    ("redirect", "port"),
    [
        (Redirect(port=8080), 8080),
        (Redirect(port=80), 0),
        (Redirect(port=443, scheme="https"), 0),
        (Redirect(port=443), 443),
        (Redirect(port_from_request=True), 9080),
        (Redirect(), 0),
    ],
)
def test_a_redirect_leaves_the_schemes_own_port_out(redirect, port):
    assert route(redirect).redirect.port_redirect == port


def test_paths_are_matched_as_written():
    assert route(match=HttpMatch(path=Exact(value="/a"), ignore_case=True)).match.path == "/a"
    assert not route(match=HttpMatch(path=Exact(value="/a"), ignore_case=True)).match.case_sensitive.value
    assert route(match=HttpMatch(path=Prefix(value="/a"))).match.prefix == "/a"
    assert route(match=HttpMatch(path=PathPrefix(value="/a/"))).match.path_separated_prefix == "/a"
    assert route(match=HttpMatch(path=PathPrefix(value="/"))).match.prefix == "/"
    assert route(match=HttpMatch(path=Regex(value="/v[0-9]+"))).match.safe_regex.regex == "/v[0-9]+"


def test_an_inverted_header_match_accepts_requests_without_it():
    header = HeaderMatch(name="x", match=Exact(value="1"), inverted=True)
    (found,) = route(match=HttpMatch(headers=(header,))).match.headers
    assert found.invert_match
    assert found.treat_missing_header_as_empty


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("50%", "50%%"),
        ("100%% sure", "100%% sure"),
        ("%REQ(:path)%", "%REQ(:path)%"),
        ("%FOO%", "%%FOO%%"),
        ("a%DOWNSTREAM_REMOTE_ADDRESS%b%", "a%DOWNSTREAM_REMOTE_ADDRESS%b%%"),
    ],
)
def test_a_percent_sign_is_itself_unless_it_is_a_substitution(value, written):
    assert escaped(value) == written
