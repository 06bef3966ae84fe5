"""The compliance report: sums that an auditor can add up again."""

from typing import Any

import pytest

from weft.api.compliance import attempts_of, certificates_of, changes_of, coverage_of, unguarded
from weft.ca.ending import Ending
from weft.explain.posture import Posture
from weft.observe.coverage import EdgeTraffic

DAY = 86_400.0


def test_the_share_is_of_all_traffic_and_unknown_without_any() -> None:
    edges = (
        EdgeTraffic(source="a", destination="b", requests=60, connections=20, mtls=80),
        EdgeTraffic(source="a", destination="c", requests=20, mtls=0),
    )
    found = coverage_of(edges)
    assert (found.total, found.mtls, found.share) == (100, 80, 0.8)
    assert coverage_of(()).share is None


def posture(name: str, mtls: str = "STRICT", *policies: str, meshed: bool = True) -> Posture:
    return Posture(namespace="shop", workload=name, account="x", meshed=meshed, mtls=mtls, policies=policies)


def test_a_workload_without_a_sidecar_is_guarded_by_nothing() -> None:
    good, bare, loose, outside = (
        posture("good", "STRICT", "shop/a"),
        posture("bare"),
        posture("loose", "PERMISSIVE", "shop/a"),
        posture("outside", "STRICT", "shop/a", meshed=False),
    )
    assert unguarded((good, bare, loose, outside)) == ((bare, outside), (loose, outside))


def ending(kind: str, left: float, life: float, *, renewed: bool = False) -> Ending:
    return Ending(kind=kind, name=kind, expires=1000 * DAY + left * DAY, life=life * DAY, renewed=renewed)


@pytest.mark.parametrize(
    ("found", "problems"),
    [
        (ending("secret", 200, 365), []),
        (ending("secret", 20, 365), ["expiring"]),
        (ending("secret", 900, 1000), ["overlong"]),
        (ending("secret", -1, 1000), ["expiring", "overlong"]),
        (ending("workload", 29, 31, renewed=True), ["overlong"]),
        (ending("workload", 20, 30, renewed=True), []),
        (ending("root", 3000, 3652), []),
    ],
)
def test_certificates_that_end_soon_or_live_too_long_are_told(found: Ending, problems: list[str]) -> None:
    rows = certificates_of([found], 1000 * DAY)
    assert [row.problem for row in rows] == problems
    assert all(row.days_left == int((found.expires - 1000 * DAY) // DAY) for row in rows)


def entry(verb: str, outcome: str, **more: Any) -> dict[str, Any]:
    return {"verb": verb, "outcome": outcome, "time": "2026-01-01T00:00:00.000Z", **more}


def test_alike_attempts_are_one_row_with_their_number() -> None:
    decision = entry("decision", "denied", who="spiffe://web", namespace="shop", name="no-web", method="GET",
                     authority="api", path="/x", proxy="api-v1.shop", resource="authorizationpolicies")  # fmt: skip
    rows = attempts_of(
        [
            decision | {"count": 40, "time": "2026-01-02T00:00:00.000Z"},
            decision,
            entry("get", "denied", who="jane", resource="secrets", namespace="shop", name="a"),
            entry("get", "denied", source="10.0.0.1", path="/api"),
            entry("get", "allowed", who="jane"),
            entry("decision", "allowed", action="AUDIT"),
        ]
    )
    first, *others = rows
    assert (first.where, first.who, first.what, first.policy, first.count) == (
        "mesh", "spiffe://web", "GET api/x at api-v1.shop", "shop/no-web", 41,
    )  # fmt: skip
    assert first.last == "2026-01-02T00:00:00.000Z"
    assert [(one.where, one.who, one.what, one.count) for one in others] == [
        ("api", "10.0.0.1", "get /api", 1),
        ("api", "jane", "get secrets shop/a", 1),
    ]


def test_a_refusal_without_a_policy_says_that_none_allowed() -> None:
    (row,) = attempts_of([entry("decision", "denied", who="x", namespace="shop", proxy="api-v1.shop")])
    assert (row.what, row.policy) == ("connection at api-v1.shop", "no ALLOW policy of shop matched")


def test_changes_are_writes_that_were_done_and_by_whom() -> None:
    rows, by = changes_of(
        [
            entry("create", "allowed", who="jane", resource="services", namespace="shop", name="a", source="10.0.0.9"),
            entry("delete", "allowed", who="weft:admin", acting_as="jane", resource="services", name="b"),
            entry("join", "allowed", who="spiffe://x"),
            entry("create", "failed", who="jane"),
            entry("create", "denied", who="jane"),
            entry("get", "allowed", who="jane", resource="secrets"),
            entry("login", "allowed", who="jane"),
            entry("decision", "allowed", who="spiffe://x"),
            entry("patch", "allowed", who="jane"),
        ]
    )
    assert [row.who for row in rows] == ["jane", "weft:admin as jane", "spiffe://x", "jane"]
    assert (rows[0].what, rows[0].source) == ("create services shop/a", "10.0.0.9")
    assert by == (("jane", 2), ("spiffe://x", 1), ("weft:admin as jane", 1))
