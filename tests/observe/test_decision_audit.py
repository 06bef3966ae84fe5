"""Decisions of proxies in the audit log: who was refused by which policy, once a minute for what goes on and on."""

import pytest
from msgspec.structs import replace

from weft.kit.clock import FakeClock
from weft.model.audit import AuditEntry, Outcome
from weft.model.identity import Identity
from weft.observe.decision_audit import DecisionAudit, entry_of
from weft.observe.decisions import Decision

REVIEWS = Identity(trust_domain="cluster.local", namespace="shop", account="reviews")
WEB = "spiffe://cluster.local/ns/shop/sa/web"
DENIED = Decision(
    at=1.0, proxy="reviews-v1.shop", reporter=REVIEWS, action="DENY", source=WEB, address="10.0.0.7", method="GET",
    authority="reviews:9080", path="/admin", policy="shop/no-web", rule="2", code=403,
)  # fmt: skip


class World:
    """The audit of decisions, and what it wrote."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.written: list[AuditEntry] = []
        self.audit = DecisionAudit(self.written.append, self.clock)

    def tell(self, *decisions: Decision, seconds: float = 0.0) -> None:
        self.audit.told(decisions)
        self.clock.advance(seconds)
        self.audit.look()

    @property
    def counted(self) -> int:
        return sum(max(one.count, 1) for one in self.written)


def test_an_entry_has_the_policy_the_call_and_who_says_so() -> None:
    entry = entry_of(DENIED)
    assert (entry.verb, entry.outcome, entry.action) == ("decision", Outcome.DENIED, "DENY")
    assert (entry.resource, entry.namespace, entry.name, entry.detail) == (
        "authorizationpolicies", "shop", "no-web", "rule 2",
    )  # fmt: skip
    assert (entry.who, entry.source, entry.method, entry.authority, entry.path, entry.code) == (
        WEB, "10.0.0.7", "GET", "reviews:9080", "/admin", 403,
    )  # fmt: skip
    assert (entry.proxy, entry.agent) == ("reviews-v1.shop", REVIEWS.uri)


NOTHING = {"policy": "", "rule": ""}


@pytest.mark.parametrize(
    ("changed", "outcome", "resource", "words"),
    [
        ({"action": "AUDIT", "code": 200}, Outcome.ALLOWED, "authorizationpolicies", "rule 2"),
        ({"dry_run": True, "code": 200}, Outcome.ALLOWED, "authorizationpolicies", "tried, not enforced"),
        (NOTHING | {"action": "ALLOW", "detail": "none"}, Outcome.DENIED, "authorizationpolicies", "none"),
        (NOTHING | {"action": "TOKEN", "detail": "jwt"}, Outcome.DENIED, "requestauthentications", "jwt"),
        ({"action": "CUSTOM"}, Outcome.DENIED, "authorizationpolicies", "rule 2"),
    ],
)
def test_every_kind_of_decision_is_told_as_what_it_was(
    changed: dict[str, object], outcome: Outcome, resource: str, words: str
) -> None:
    entry = entry_of(replace(DENIED, **changed))
    assert (entry.outcome, entry.resource, entry.namespace) == (outcome, resource, "shop")
    assert words in entry.detail


def test_no_proxy_makes_lines_long() -> None:
    long = "x" * 100_000
    entry = entry_of(replace(DENIED, source=long, address=long, policy=f"{long}/{long}", rule=long))
    assert len(str(entry)) < 5_000


def test_the_same_again_is_counted_and_told_once_a_minute() -> None:
    world = World()
    for _ in range(100):
        world.tell(DENIED, seconds=0.1)
    assert [one.count for one in world.written] == [0]
    world.clock.advance(60)
    world.audit.look()
    assert [one.count for one in world.written] == [0, 99]
    world.tell(DENIED)
    assert [one.count for one in world.written] == [0, 99, 0]


def test_what_is_new_is_told_at_once() -> None:
    world = World()
    world.tell(DENIED, replace(DENIED, path="/other"), replace(DENIED, source=""), replace(DENIED, policy="shop/b"))
    assert len(world.written) == 4


def test_a_scan_cannot_flood_the_log_and_what_is_left_out_is_counted() -> None:
    world = World()
    for number in range(8_000):
        world.tell(replace(DENIED, path=f"/{number}"), seconds=0.001)
    assert len(world.written) < 1_000
    world.clock.advance(60)
    world.tell(replace(DENIED, path="/last"))
    assert "decisions before it are left out" in world.written[-1].detail


def test_at_the_end_what_was_counted_is_written() -> None:
    world = World()
    world.tell(DENIED, DENIED, DENIED)
    world.audit.close()
    assert world.counted == 3
