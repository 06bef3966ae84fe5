"""What is said of a RateLimitPolicy and a CircuitBreaker alone, and what they mean."""

from typing import Any

import pytest

from tests.dialects.documents import BY_NAME, content_of, fragment
from weft.dialects.translate import check
from weft.model.breaker import Breaker, Forced
from weft.model.finding import field_path
from weft.model.limits import ByAddress, ByClaim, ByHeader, ByIdentity, RateLimits
from weft.model.match import Exact, HeaderMatch, Prefix, Present

SERVICE = {"targetRefs": [{"kind": "Service", "name": "reviews"}]}
LIMIT = {"requests": 5, "per": "Minute"}


def said(kind: str, spec: dict[str, Any]) -> set[tuple[str, str]]:
    return {(one.code, field_path(one.path)) for one in check(BY_NAME[kind], content_of(kind, spec))}


def limited(**changes: Any) -> dict[str, Any]:
    return SERVICE | {"limits": [LIMIT | changes]}


@pytest.mark.parametrize(
    ("spec", "code", "place"),
    [
        (SERVICE, "W0105", "limits"),
        ({"limits": [LIMIT]}, "W0105", "targetRefs"),
        ({"limits": [LIMIT], "selector": {}} | SERVICE, "W0106", "selector"),
        ({"limits": [LIMIT], "targetRefs": [{"kind": "Pod", "name": "a"}]}, "W0240", "targetRefs[0].kind"),
        (
            {"limits": [LIMIT], "targetRefs": [{"kind": "Service", "group": "x", "name": "a"}]},
            "W0240",
            "targetRefs[0].group",
        ),
        (limited(per="Week"), "W0102", "limits[0].per"),
        (limited(requests=0), "W0111", "limits[0].requests"),
        (limited(scope="Global", burst=9), "W0106", "limits[0].burst"),
        (limited(window="Sliding"), "W0106", "limits[0].window"),
        (limited(cost=6), "W0111", "limits[0].cost"),
        (limited(name="No Name"), "W0107", "limits[0].name"),
        (limited(by=[{}]), "W0106", "limits[0].by[0]"),
        (limited(by=[{"path": {}, "method": {}}]), "W0106", "limits[0].by[0]"),
        (limited(by=[{"header": {"name": "a b"}}]), "W0112", "limits[0].by[0].header.name"),
        (limited(when={"methods": ["get"]}), "W0102", "limits[0].when.methods[0]"),
        (limited(when={"clientIdentities": ["web"]}), "W0102", "limits[0].when.clientIdentities[0]"),
        (limited(when={"path": {"exact": "/a", "prefix": "/"}}), "W0106", "limits[0].when.path.prefix"),
        (limited(when={"path": {"prefix": ""}}), "W0122", "limits[0].when.path"),
        (limited() | {"onFailure": "Deny"}, "W0128", "onFailure"),
        (limited() | {"response": {"status": 418}}, "W0124", "response.status"),
        (limited() | {"response": {"body": "x"}}, "W0128", "response.body"),
        (limited() | {"response": {"headers": {"a b": "c"}}}, "W0112", "response.headers.a b"),
        (limited() | {"response": {"headers": {"a": "b\nc"}}}, "W0112", "response.headers.a"),
    ],
)
def test_what_cannot_be_limited_is_named_with_its_place(spec: dict[str, Any], code: str, place: str):
    assert (code, f"spec.{place}") in said("RateLimitPolicy", spec)


@pytest.mark.parametrize(
    ("spec", "code", "place"),
    [
        ({}, "W0105", "targetRefs"),
        ({"targetRefs": [{"kind": "Gateway", "name": "a"}]}, "W0240", "targetRefs[0].kind"),
        (SERVICE | {"failureRate": 0}, "W0102", "failureRate"),
        (SERVICE | {"failureRate": 101}, "W0111", "failureRate"),
        (SERVICE | {"window": "1ms"}, "W0108", "window"),
        (SERVICE | {"openDuration": "1m", "maxOpenDuration": "30s"}, "W0111", "maxOpenDuration"),
        (SERVICE | {"failureStatuses": ["5xx"]}, "W0124", "failureStatuses[0]"),
        (SERVICE | {"failureStatuses": ["599-500"]}, "W0111", "failureStatuses[0]"),
        (SERVICE | {"failureGrpcStatuses": ["DOWN"]}, "W0124", "failureGrpcStatuses[0]"),
        (SERVICE | {"slowCallRate": 50}, "W0105", "slowCallRate"),
        (SERVICE | {"requestVolume": 5}, "W0128", "requestVolume"),
        (SERVICE | {"force": "HalfOpen"}, "W0102", "force"),
    ],
)
def test_what_cannot_break_is_named_with_its_place(spec: dict[str, Any], code: str, place: str):
    assert (code, f"spec.{place}") in said("CircuitBreaker", spec)


def breaker(**spec: Any) -> Breaker:
    (found,) = fragment("CircuitBreaker", SERVICE | spec).breakers
    return found.breaker


def test_a_breaker_without_rules_opens_after_five_failures_in_a_row():
    found = breaker()
    assert (found.failure_threshold, found.window, found.failure_rate) == (5, 0, 0)
    assert (found.open_duration, found.max_open_duration, found.trial_timeout) == (30_000, 300_000, 30_000)
    assert (found.half_open_requests, found.success_threshold) == (1, 1)
    assert (found.statuses, found.grpc_statuses) == (((500, 599),), (2, 4, 13, 14, 15))


def test_a_rate_has_a_window_and_a_volume_and_no_threshold():
    found = breaker(failureRate=50, halfOpenRequests=4)
    assert (found.failure_threshold, found.window, found.request_volume) == (0, 10_000, 20)
    assert found.success_threshold == 4
    slow = breaker(slowCallDuration="250ms")
    assert (slow.slow_call, slow.slow_rate, slow.window) == (250, 50, 10_000)


def test_what_somebody_decided_is_kept():
    assert breaker(force="Open").forced is Forced.OPEN
    assert breaker().reset == 0 != breaker(resetAt="now").reset != breaker(resetAt="later").reset


def limits(*listed: dict[str, Any], **spec: Any) -> RateLimits:
    (found,) = fragment("RateLimitPolicy", SERVICE | {"limits": list(listed)} | spec).rate_limits
    return found.limits


def test_limits_without_words_are_local_and_their_burst_is_their_rate():
    found = limits(LIMIT, {"name": "day", "requests": 9, "per": "Day", "scope": "Global", "window": "Sliding"})
    first, second = found.limits
    assert (first.name, first.period, first.burst, first.shared) == ("0", 60, 5, False)
    assert (second.name, second.period, second.shared, second.sliding) == ("day", 86_400, True, True)
    assert (found.answer.status, found.answer.told, found.closed, found.timeout) == (429, True, False, 100)


def test_what_counts_and_what_counts_apart_is_read():
    by = [{"clientIdentity": {}}, {"clientAddress": {"ipv4PrefixLength": 24}}, {"header": {"name": "X-User"}}]
    when = {"path": {"prefix": "/api"}, "headers": [{"name": "X-Tier", "exact": "free"}, {"name": "x-any"}]}
    (found,) = limits(LIMIT | {"by": [*by, {"claim": {"path": ["tenant", "id"]}}], "when": when}).limits
    assert found.by == (
        ByIdentity(),
        ByAddress(ipv4_bits=24),
        ByHeader(name="x-user"),
        ByClaim(path=("tenant", "id")),
    )
    assert found.counted.path == Prefix(value="/api")
    assert found.counted.headers == (
        HeaderMatch(name="x-tier", match=Exact(value="free")),
        HeaderMatch(name="x-any", match=Present()),
    )


@pytest.mark.parametrize(
    ("changes", "code", "place"),
    [
        ({"fallback": {"host": "reviews"}}, "W0106", "spec.fallback.host"),
        ({"fallback": {"host": "reviews.shop.svc.cluster.local"}}, "W0106", "spec.fallback.host"),
        ({"fallback": {"host": "no host"}}, "W0112", "spec.fallback.host"),
        ({"fallback": {}}, "W0105", "spec.fallback"),
        ({"fallback": {"host": "a", "port": {"number": 0}}}, "W0111", "spec.fallback.port.number"),
        ({"response": {"status": 199}}, "W0111", "spec.response.status"),
    ],
)
def test_a_fallback_is_another_service(changes: dict[str, Any], code: str, place: str) -> None:
    assert [found for found, _ in said("CircuitBreaker", SERVICE | changes)] == [code], place


def test_a_breaker_may_go_on_with_a_subset_or_an_answer() -> None:
    assert not said("CircuitBreaker", SERVICE | {"fallback": {"host": "reviews", "subset": "old"}})
    assert not said("CircuitBreaker", SERVICE | {"response": {"status": 200}})
