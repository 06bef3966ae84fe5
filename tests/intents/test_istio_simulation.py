"""Istio's own simulated calls arrive where they arrive in Istio, as far as weft serves their kinds."""

from collections import Counter
from typing import Any

import pytest

from tests.intents.simulation import DATA, call_left_out, case_left_out, cases, played, wanted

pytestmark = pytest.mark.skipif(not DATA.is_file(), reason="there is no ../shared/data/istio beside the checkout")


@pytest.mark.parametrize("case", cases(), ids=[case["id"] for case in cases()])
def test_calls_arrive_where_they_arrive_in_istio(case: dict[str, Any]):
    if reason := case_left_out(case) or _nothing_left(case):
        pytest.skip(reason)
    for one in _calls(case):
        assert played(case, one["call"]) == wanted(one["call"], one["want"]), one


def test_the_cases_that_are_left_out_are_known():
    """When a kind is served from now on, this fails: its cases are then to be played."""
    reasons = Counter(case_left_out(case) or _nothing_left(case) for case in cases())
    assert reasons == REASONS
    assert sum(len(_calls(case)) for case in cases() if not case_left_out(case)) == PLAYED


def _calls(case: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in case["calls"] if not call_left_out(one["call"], one["want"])]


def _nothing_left(case: dict[str, Any]) -> str:
    return "" if _calls(case) else call_left_out(case["calls"][0]["call"], case["calls"][0]["want"])


REASONS = {
    "": 18,
    "a gateway's proxy; test_istio_gateways plays it": 13,
    "a captured connection without a host; weft's applications name a local port for it": 1,
}
PLAYED = 87
