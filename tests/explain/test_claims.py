"""Claims of an imagined request's token: where it is looked for, and when it is refused."""

import base64
import json
from typing import Any

import pytest

from weft._pb.envoy.config.listener.v3.listener_components_pb2 import Filter, FilterChain
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.extensions.filters.http.jwt_authn.v3.config_pb2 import JwtAuthentication, JwtHeader, JwtProvider
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    HttpFilter,
)
from weft.compiler.access.inputs import PAYLOAD, TOKEN_FILTER
from weft.compiler.wire import packed
from weft.explain.call import State, parse_call
from weft.explain.claims import token_step

ISSUER = "https://idp.example.com"


def token(**claims: Any) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.c2ln"


def listener(**rule: Any) -> Listener:
    provider = JwtProvider(issuer=ISSUER, **rule)
    provider.normalize_payload_in_metadata.space_delimited_claims.append("scope")
    tokens = HttpFilter(name="tokens", typed_config=packed(JwtAuthentication(providers={"a": provider})))
    manager = packed(HttpConnectionManager(http_filters=[tokens]))
    return Listener(filter_chains=[FilterChain(filters=[Filter(name="manager", typed_config=manager)])])


def asked(at: Listener, *headers: tuple[str, str], path: str = "/") -> tuple[Any, str, bool]:
    told, step = token_step(at, parse_call("GET", f"http://shop{path}", headers))
    claims = told.get(TOKEN_FILTER, {}).get(PAYLOAD, {})
    return claims, step.what if step else "", step is not None and step.state is State.FAILED


@pytest.mark.parametrize(
    ("rule", "headers", "path"),
    [
        ({}, (("Authorization", f"Bearer {token(iss=ISSUER)}"),), "/"),
        ({}, (), f"/?access_token={token(iss=ISSUER)}"),
        ({"from_headers": [JwtHeader(name="X-Token")]}, (("x-token", token(iss=ISSUER)),), "/"),
        ({"from_params": ["t"]}, (), f"/?t={token(iss=ISSUER)}"),
        ({"from_cookies": ["t"]}, (("cookie", f"a=b; t={token(iss=ISSUER)}"),), "/"),
    ],
)
def test_tokens_are_found_where_the_rule_says(rule: dict[str, Any], headers: Any, path: str) -> None:
    assert asked(listener(**rule), *headers, path=path)[0] == {"iss": ISSUER}


def test_a_place_that_the_rule_names_is_the_only_one() -> None:
    at = listener(from_params=["t"])
    assert asked(at, ("authorization", f"Bearer {token(iss=ISSUER)}")) == ({}, "", False)


def test_claims_of_several_words_are_lists() -> None:
    claims, _, _ = asked(listener(), ("authorization", f"Bearer {token(iss=ISSUER, scope='a b')}"))
    assert claims["scope"] == ["a", "b"]


@pytest.mark.parametrize("wrong", [token(iss="other"), "nonsense", "a.b.c", "e30.W10.eA"])
def test_a_token_of_nobody_known_is_401_and_says_nothing(wrong: str) -> None:
    claims, what, failed = asked(listener(), ("authorization", f"Bearer {wrong}"))
    assert (claims, what[:3], failed) == ({}, "401", True)


def test_a_token_for_somebody_else_is_403() -> None:
    found = asked(listener(audiences=["shop"]), ("authorization", f"Bearer {token(iss=ISSUER, aud=['bank'])}"))
    assert (found[1][:3], found[2]) == ("403", True)


def test_without_a_token_there_is_nothing_to_say() -> None:
    assert asked(listener()) == ({}, "", False)
