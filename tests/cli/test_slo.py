"""``weft slo``: promises written down, listed, and refused where they say nothing."""

import json
import time

import pytest
import yaml

from tests.cli.conftest import Weft


def test_a_promise_is_written_down_and_listed(weft: Weft) -> None:
    done = weft("slo", "create", "reviews", "-n", "promised", "--availability", "99.9", "--latency", "250ms:99")
    assert done.code == 0, done.err
    assert done.out.split("\n")[:2] == [
        "slo.openslo/reviews-availability created",
        "slo.openslo/reviews-latency created",
    ]
    again = weft("slo", "create", "reviews", "-n", "promised", "--availability", "99.5")
    assert "configured" in again.out
    items = {one["name"]: one for one in _standings(weft)}
    assert items["reviews-availability"]["target"] == pytest.approx(0.995)
    assert items["reviews-availability"]["state"] == "no calls"
    assert list(items["reviews-latency"]["burnRates"]) == ["5m", "1h", "6h", "3d"]
    told = weft("slo", "reviews", "-n", "promised").out
    assert told.splitlines()[0].split()[:4] == ["NAMESPACE", "NAME", "SERVICE", "OBJECTIVE"]
    assert "99.5%" in told
    assert weft("slo", "-n", "promised", "-o", "name").out.split() == [
        "promised/reviews-availability",
        "promised/reviews-latency",
    ]


def _standings(weft: Weft) -> list[dict[str, object]]:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        items: list[dict[str, object]] = json.loads(weft("slo", "-n", "promised", "-o", "json").out)["items"]
        if len(items) == 2 and any(one["target"] == pytest.approx(0.995) for one in items):
            return items
        time.sleep(0.05)
    raise AssertionError(items)


def test_what_would_be_written_can_be_seen_first(weft: Weft) -> None:
    done = weft("slo", "create", "reviews", "-n", "seen", "--availability", "99", "--alert", "fast", "--dry-run")
    (document,) = yaml.safe_load_all(done.out)
    assert document["apiVersion"] == "openslo/v1"
    assert document["spec"]["alertPolicies"] == [{"alertPolicyRef": "fast"}]
    assert weft("slo", "-n", "seen").err == "there are no objectives in seen\n"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 2),
        (("--latency", "fast"), 2),
        (("--latency", "250ms:all"), 2),
        (("--availability", "100"), 1),
        (("--availability", "99", "--window", "1Q"), 1),
    ],
)
def test_a_promise_that_is_none_is_refused(weft: Weft, arguments: tuple[str, ...], code: int) -> None:
    assert weft("slo", "create", "reviews", "-n", "refused", *arguments).code == code


def test_alerts_are_listed(weft: Weft) -> None:
    assert weft("slo", "alerts").err == "there are no alerts\n"
    assert json.loads(weft("slo", "alerts", "--firing", "-o", "json").out) == {"items": []}
