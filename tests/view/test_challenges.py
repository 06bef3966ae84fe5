"""What gateways answer to authorities, and that nothing else changes."""

from weft.model.document import Key
from weft.model.issuing import Challenge
from weft.model.match import ANY_REQUEST, Exact
from weft.model.route import DirectResponse, Redirect
from weft.view.challenges import answering
from weft.view.view import GatewayRoutes, Route, RoutesKey, VirtualHost

KEY = Key(group="acme.cert-manager.io", kind="Challenge", namespace="shop", name="c")
SHOP = Route(match=ANY_REQUEST, action=DirectResponse(status=200), name="shop")


def challenge(host: str, token: str = "t") -> Challenge:
    return Challenge(key=KEY, host=host, token=token, answer=f"{token}.thumb")


def routes(*hosts: VirtualHost, server: str = "") -> GatewayRoutes:
    return GatewayRoutes(key=RoutesKey(port=80, server=server), virtual_hosts=hosts)


def host(name: str, *, https_only: bool = False) -> VirtualHost:
    return VirtualHost(host=name, port=80, domains=(name,), routes=(SHOP,), https_only=https_only)


def by_domain(found: GatewayRoutes) -> dict[str, VirtualHost]:
    return {domain: one for one in found.virtual_hosts for domain in one.domains}


def test_without_challenges_and_with_tls_nothing_changes() -> None:
    assert answering(routes(host("a.com")), ()) == routes(host("a.com"))
    tls = routes(host("a.com"), server="https")
    assert answering(tls, [challenge("a.com")]) == tls


def test_the_answer_comes_before_the_rules_of_the_host() -> None:
    found = by_domain(answering(routes(host("a.com"), host("b.com")), [challenge("a.com"), challenge("a.com", "u")]))
    first, second, rest = found["a.com"].routes
    assert first.match.path == Exact(value="/.well-known/acme-challenge/t")
    assert first.action == DirectResponse(status=200, body=b"t.thumb")
    assert second.action == DirectResponse(status=200, body=b"u.thumb")
    assert rest == SHOP
    assert found["b.com"] == host("b.com")


def test_a_host_of_a_wildcard_gets_a_place_of_its_own_with_the_same_rules() -> None:
    found = by_domain(answering(routes(host("*"), host("*.com"), host("*.a.com")), [challenge("x.a.com")]))
    assert found["x.a.com"].routes[1:] == (SHOP,)
    assert set(found) == {"*", "*.com", "*.a.com", "x.a.com"}


def test_a_host_that_no_server_has_is_answered_for() -> None:
    found = by_domain(answering(routes(), [challenge("new.com")]))
    assert len(found["new.com"].routes) == 1


def test_a_redirect_to_https_lets_the_authority_in() -> None:
    made = by_domain(answering(routes(host("a.com", https_only=True)), [challenge("a.com")]))["a.com"]
    answer, redirect, rest = made.routes
    assert not made.https_only
    assert isinstance(answer.action, DirectResponse)
    assert redirect.action == Redirect(scheme="https")
    assert redirect.match.headers[0].inverted
    assert rest == SHOP
