"""Shares of zones: what Envoy's zone aware routing would make of the same numbers."""

import pytest

from weft.view.view import Endpoint
from weft.view.zones import counted, zone_shares


def endpoints(**zones: int) -> tuple[Endpoint, ...]:
    return tuple(
        Endpoint(address=f"{zone}{number}", port=1, locality=f"eu/{zone}/{number % 2}")
        for zone, count in zones.items()
        for number in range(count)
    )


def shares(there: dict[str, int], here: dict[str, int], own: str = "a", least: int = 1) -> dict[str, int] | None:
    peers = tuple((f"eu/{zone}", count) for zone, count in here.items())
    found = zone_shares(endpoints(**there), f"eu/{own}", peers, least)
    if found is None:
        return None
    summed: dict[str, int] = {}
    for locality, share in found:
        zone = locality.split("/")[1]
        summed[zone] = summed.get(zone, 0) + share
    return summed


@pytest.mark.parametrize(
    ("there", "here", "wanted"),
    [
        ({"a": 2, "b": 2}, {"a": 1, "b": 1}, {"a": 1000, "b": 0}),
        ({"a": 4, "b": 2}, {"a": 1, "b": 1}, {"a": 1000, "b": 0}),
        ({"a": 1, "b": 1}, {"a": 3, "b": 1}, {"a": 667, "b": 334}),
        ({"a": 2, "b": 4, "c": 4}, {"a": 8, "b": 1, "c": 1}, {"a": 250, "b": 376, "c": 376}),
        ({"b": 2, "c": 2}, {"a": 1}, {"b": 500, "c": 500}),
        ({"a": 1, "b": 1}, {"a": 1}, {"a": 500, "b": 500}),
    ],
)
def test_calls_stay_as_far_as_the_zone_can_carry_them(
    there: dict[str, int], here: dict[str, int], wanted: dict[str, int]
) -> None:
    assert shares(there, here) == wanted


def test_too_few_endpoints_or_one_zone_alone_are_not_shared_out() -> None:
    assert shares({"a": 1, "b": 1}, {"a": 1}, least=3) is None
    assert shares({"a": 5}, {"a": 1}) is None
    assert shares({"a": 1, "b": 1}, {"b": 1}) is None


def test_callers_of_other_regions_do_not_count() -> None:
    here = (("eu/a", 1), ("eu/b", 1), ("us/a", 8))
    assert zone_shares(endpoints(a=1, b=1), "eu/a", here, 1) == (("eu/a/0", 1000), ("eu/b/0", 0))


def test_zones_are_the_first_two_parts_of_localities() -> None:
    assert counted(["eu/a/1", "eu/a/2", "eu/b", ""]) == (("", 1), ("eu/a", 2), ("eu/b", 1))
