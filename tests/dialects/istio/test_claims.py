"""Claims of tokens in the place of headers: Istio's two ways to write them, and what names no claim."""

import pytest

from tests.dialects.documents import checked, codes, document, fragment, linked
from weft.dialects.istio.claims import claim_of
from weft.model.match import ClaimMatch, Exact, HttpMatch, Present, catches_all

ROUTE = {"route": [{"destination": {"host": "reviews"}}]}


@pytest.mark.parametrize(
    ("written", "keys"),
    [
        ("@request.auth.claims.group", ("group",)),
        ("@request.auth.claims.realm.roles", ("realm", "roles")),
        ("@Request.Auth.Claims.Group", ("Group",)),
        ("@request.auth.claims[group]", ("group",)),
        ("@request.auth.claims[https://idp.example.com][site.eu]", ("https://idp.example.com", "site.eu")),
        ("@request.auth.claims", None),
        ("@request.auth.claims[group", None),
        ("@request.auth.claimsgroup", None),
        ("group", None),
    ],
)
def test_the_keys_of_a_claim_stand_after_dots_or_in_brackets(written: str, keys: tuple[str, ...] | None) -> None:
    assert claim_of(written) == keys


def said(name: str, field: str = "headers", **spec: list[str]) -> list[tuple[str, str]]:
    match = {field: {name: {"exact": "a"}}}
    return codes(checked("VirtualService", {"hosts": ["reviews"], "http": [{"match": [match], **ROUTE}], **spec}))


@pytest.mark.parametrize("field", ["headers", "withoutHeaders"])
def test_claims_are_matched_at_gateways_alone(field: str) -> None:
    name = "@request.auth.claims.group"
    assert said(name, field, gateways=["edge"]) == []
    refused = [("W0122", f"spec.http[0].match[0].{field}.{name}")]
    assert [code for code, _ in said(name, field)] == [code for code, _ in refused]
    assert [code for code, _ in said(name, field, gateways=["mesh", "edge"])] == ["W0122"]


@pytest.mark.parametrize("name", ["@request.auth.claims.", "@request.auth.claims[]", "@request.auth.claims.a..b"])
def test_a_claim_without_a_name_is_an_error(name: str) -> None:
    assert [code for code, _ in said(name, gateways=["edge"])] == ["W0112"]


@pytest.mark.parametrize("name", ["@request.auth.claims", "@request.auth.claims[a", "@group"])
def test_what_only_looks_like_a_claim_is_no_header_either(name: str) -> None:
    assert [code for code, _ in said(name, gateways=["edge"])] == ["W0112"]


def test_a_claim_is_no_header() -> None:
    match = {
        "headers": {"x": {"exact": "a"}, "@request.auth.claims.b": {"exact": "c"}},
        "withoutHeaders": {"@request.auth.claims[d][e]": {}},
    }
    spec = {"hosts": ["reviews"], "gateways": ["edge"], "http": [{"match": [match], **ROUTE}]}
    found = fragment("VirtualService", spec).route_tables[0].http[0].matches[0]
    assert [one.name for one in found.headers] == ["x"]
    assert found.claims == (
        ClaimMatch(keys=("b",), match=Exact(value="c")),
        ClaimMatch(keys=("d", "e"), match=Present(), inverted=True),
    )


def test_a_rule_that_asks_for_a_claim_does_not_take_every_request() -> None:
    assert not catches_all(HttpMatch(claims=(ClaimMatch(keys=("a",), match=Present()),)))


def test_claims_of_a_leading_rule_hold_for_its_delegates_rules_too() -> None:
    group, role = ({f"@request.auth.claims.{name}": {"exact": "a"}} for name in ("group", "role"))
    leading = {"match": [{"headers": group}], "delegate": {"name": "leaf"}}
    mesh = linked(
        document("VirtualService", {"hosts": ["a.b"], "gateways": ["edge"], "http": [leading]}, "root"),
        document("VirtualService", {"http": [{"match": [{"headers": role}], **ROUTE}]}, "leaf"),
    )
    (match,) = mesh.route_tables[0].http[0].matches
    assert [one.keys for one in match.claims] == [("group",), ("role",)]
