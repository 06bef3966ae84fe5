"""``weft slo``: promises written down, listed, and refused where they say nothing."""

import json
import time
from pathlib import Path

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


WRITTEN = """
apiVersion: openslo/v1
kind: Service
metadata: {name: shop, displayName: The shop}
spec: {description: What people buy in}
---
apiVersion: openslo/v1
kind: SLO
metadata:
  name: foo-slo
  displayName: Foo SLO
spec:
  service: foo
  indicator:
    metadata: {name: foo-error, displayName: Foo Error}
    spec:
      ratioMetric:
        counter: true
        bad:
          metricSource:
            type: Prometheus
            spec: {query: 'istio_requests_total{destination_service_namespace="kept",response_code=~"5.."}'}
        total:
          metricSource:
            type: Prometheus
            spec: {query: 'sum(istio_requests_total{destination_service_namespace="kept"})'}
  timeWindow: [{duration: 4w, isRolling: true}]
  budgetingMethod: Occurrences
  objectives:
  - {displayName: Foo Total Errors, target: 0.98}
"""


def test_a_file_that_was_written_for_other_tools_is_taken_as_it_is(weft: Weft, tmp_path: Path) -> None:
    file = tmp_path / "foo.yaml"
    file.write_text(WRITTEN)
    checked = weft("validate", "-f", str(file), "-n", "kept")
    assert checked.code == 0, checked.out + checked.err
    applied = weft("apply", "-n", "kept", "-f", str(file))
    assert applied.code == 0, applied.err
    (one,) = json.loads(weft("slo", "-n", "kept", "-o", "json").out)["items"]
    assert (one["displayName"], one["target"], one["window"]) == ("Foo Total Errors", 0.98, "28d")
    kept = json.loads(weft("get", "slos.openslo", "foo-slo", "-n", "kept", "-o", "json").out)
    assert kept["metadata"]["annotations"]["openslo.com/display-name"] == "Foo SLO"
