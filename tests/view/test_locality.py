"""Which endpoints are near, also as istiod decided it in recorded cases."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.dialects.recorded import lines, needs_data
from weft.dialects.istio.translate.load_balancing import load_balancer
from weft.dialects.istio.types.load_balancing import LoadBalancer
from weft.kit.value import labels_of
from weft.model.document import Key, Origin
from weft.model.settings import Settings
from weft.model.traffic import (
    Balancing,
    DestinationPolicy,
    Distribution,
    Failover,
    LocalityPreference,
    OutlierDetection,
    TrafficPolicy,
)
from weft.model.traffic import LoadBalancer as Balancer
from weft.view.locality import Candidate, Placement, Vantage, locality_rank, placed, vantage_of, within
from weft.view.policy import Caller
from weft.view.view import Endpoint

EJECTS = OutlierDetection()
HERE = Vantage(locality="eu/a/1")


def at(*localities: str) -> tuple[Candidate, ...]:
    places = enumerate(localities)
    return tuple(Candidate(endpoint=Endpoint(address=f"10.0.0.{n}", port=80, locality=one)) for n, one in places)


def policy(preference: LocalityPreference | None = None, *, ejects: bool = True) -> TrafficPolicy:
    return TrafficPolicy(
        load_balancer=Balancer(algorithm=Balancing.RANDOM, locality=preference),
        outlier_detection=EJECTS if ejects else None,
    )


def priorities(found: Placement) -> list[int]:
    return [one.priority for one in found.endpoints]


def test_the_same_subzone_comes_first_then_zone_region_and_the_rest() -> None:
    candidates = at("us/a/1", "eu/b", "eu/a/2", "eu/a/1")
    assert priorities(placed(candidates, policy(), HERE)) == [3, 2, 1, 0]


def test_priorities_have_no_gaps() -> None:
    assert priorities(placed(at("us/a/1", "eu/b", "us/b/1"), policy(), HERE)) == [1, 0, 1]


def test_without_outlier_detection_all_endpoints_are_equal() -> None:
    assert priorities(placed(at("us/a/1", "eu/a/1"), policy(ejects=False), HERE)) == [0, 0]


def test_a_preference_that_is_switched_off_leaves_endpoints_equal() -> None:
    off = policy(LocalityPreference(enabled=False))
    assert priorities(placed(at("us/a/1", "eu/a/1"), off, HERE)) == [0, 0]


def test_a_region_that_takes_over_comes_before_other_regions() -> None:
    takes_over = LocalityPreference(failover=(Failover(origin="eu", to="asia"),))
    assert priorities(placed(at("us/a/1", "asia/a/1", "eu/a/1"), policy(takes_over), HERE)) == [2, 1, 0]


def test_shares_go_to_the_localities_that_are_named_and_nowhere_else() -> None:
    rule = Distribution(origin="eu/*", shares=(("eu/a/*", 75), ("us", 25)))
    found = placed(at("eu/a/1", "eu/a/2", "us/b", "asia"), policy(LocalityPreference(distribute=(rule,))), HERE)
    assert found.shares == (("eu/a/1", 38), ("eu/a/2", 38), ("us/b", 25))
    assert [one.locality for one in found.endpoints] == ["eu/a/1", "eu/a/2", "us/b"]
    assert priorities(found) == [0, 0, 0]


def test_callers_of_no_named_locality_use_all_endpoints() -> None:
    rule = Distribution(origin="us/*", shares=(("us", 100),))
    found = placed(at("eu/a/1", "us/b"), policy(LocalityPreference(distribute=(rule,))), HERE)
    assert (len(found.endpoints), found.shares) == (2, ())


@pytest.mark.parametrize(
    ("pattern", "is_within"),
    [("*", True), ("eu", True), ("eu/*", True), ("eu/a", True), ("eu/a/1", True), ("eu/b", False), ("us/*", False)],
)
def test_a_pattern_names_what_is_in_it(pattern: str, is_within: bool) -> None:
    assert within("eu/a/1", pattern) is is_within


def test_a_zone_of_another_region_is_elsewhere_even_by_the_same_name() -> None:
    assert locality_rank("eu/a/1", "us/a/1", LocalityPreference()) == 3


def test_callers_are_told_apart_only_where_a_rule_prefers_what_is_near() -> None:
    caller = Caller(namespace="shop", locality="eu/a", labels=(("version", "v1"),))
    assert vantage_of(None, caller, Settings()) is None
    assert vantage_of(rule_of(policy(ejects=False)), caller, Settings()) is None
    assert vantage_of(rule_of(policy()), caller, Settings()) == Vantage(locality="eu/a")
    by_label = policy(LocalityPreference(labels=("version",)))
    assert vantage_of(rule_of(by_label), caller, Settings()) == Vantage(locality="eu/a", labels=caller.labels)


def rule_of(block: TrafficPolicy) -> DestinationPolicy:
    origin = Origin(key=Key(kind="DestinationRule", name="a"))
    return DestinationPolicy(origin=origin, namespace="shop", host="a", policy=block)


CASES = list(lines("loadbalancer/locality_cases.jsonl"))


@needs_data
@pytest.mark.parametrize("case", CASES, ids=[f"{number}-{case['test']}" for number, case in enumerate(CASES)])
def test_endpoints_are_placed_as_istiod_placed_them(case: dict[str, Any]) -> None:
    setting = load_balancer(LoadBalancer.model_validate({"localityLbSetting": case["locality_lb_setting"]}))
    own = Vantage(locality=_locality(case["proxy_locality"]), labels=labels_of(case["proxy_labels"] or {}))
    block = TrafficPolicy(load_balancer=setting, outlier_detection=EJECTS if case["enable_failover"] else None)
    found = placed(_candidates(case), block, own)
    named = setting is not None and setting.locality is not None and setting.locality.distribute
    assert _summary(found) == (_recorded_shares(case) if named else _recorded_priorities(case))


def _candidates(case: dict[str, Any]) -> tuple[Candidate, ...]:
    if not case["endpoints_with_labels"]:
        return at(*(_locality(group["locality"]) for group in case["in"]["endpoints"]))
    places = {address: _locality(group["locality"]) for address, group in _recorded_groups(case)}
    return tuple(
        Candidate(endpoint=Endpoint(address=address, port=1, locality=places[address]), labels=labels_of(one["Labels"]))
        for group in case["endpoints_with_labels"]
        for one in group["istio_endpoints"]
        for address in one["Addresses"][:1]
    )


def _recorded_groups(case: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each endpoint's address with its group; groups without endpoints stand for one."""
    for group in case["out"]["endpoints"]:
        for one in group.get("lbEndpoints", [None]):
            yield one["endpoint"]["address"]["socketAddress"]["address"] if one else "", group


def _summary(found: Placement) -> object:
    if found.shares:
        return dict(found.shares)
    return sorted((one.locality, one.priority) for one in found.endpoints)


def _recorded_shares(case: dict[str, Any]) -> dict[str, int]:
    """Groups of one locality count together: weft makes one of them."""
    shares: dict[str, int] = {}
    for group in case["out"]["endpoints"]:
        if weight := group.get("loadBalancingWeight"):
            place = _locality(group["locality"])
            shares[place] = shares.get(place, 0) + weight
    return shares


def _recorded_priorities(case: dict[str, Any]) -> list[tuple[str, int]]:
    return sorted((_locality(group["locality"]), group.get("priority", 0)) for _, group in _recorded_groups(case))


def _locality(said: dict[str, str]) -> str:
    return "/".join(said.get(part, "") for part in ("region", "zone", "subZone")).rstrip("/")
