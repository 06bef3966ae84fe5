"""OpenSLO's documents: what is served means exactly what it says, and the rest is refused by name."""

from typing import Any

import msgspec
import pytest
import yaml

from weft.dialects.link import link
from weft.dialects.openslo.serve import SERVED, received
from weft.dialects.translate import KINDS, check, fragment_of
from weft.model.document import Document, Key
from weft.model.finding import Severity
from weft.model.mesh import Mesh
from weft.model.objective import Objective
from weft.model.settings import Settings

BY_NAME = {kind.kind: kind for kind in KINDS if kind.group == "openslo"}

SLO = """
apiVersion: openslo/v1
kind: SLO
metadata: {name: reviews, namespace: shop}
spec:
  service: reviews
  indicator:
    metadata: {name: reviews-availability}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: weft, spec: {service: reviews, calls: good}}}
        total: {metricSource: {type: weft, spec: {service: reviews}}}
  timeWindow: [{duration: 28d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{displayName: it works, target: 0.999}]
"""
POLICY = """
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: fast, namespace: shop}
spec:
  alertWhenBreaching: true
  alertWhenResolved: true
  conditions: [{conditionRef: tenfold}]
  notificationTargets: [{targetRef: chat}, {targetRef: nobody}]
---
apiVersion: openslo/v1
kind: AlertCondition
metadata: {name: tenfold, namespace: shop}
spec: {severity: page, condition: {kind: burnrate, op: gte, threshold: 10, lookbackWindow: 1h, alertAfter: 5m}}
---
apiVersion: openslo/v1
kind: AlertNotificationTarget
metadata: {name: chat, namespace: shop, annotations: {weft.dev/secret: chat}}
spec: {target: slack, description: the channel of the shop}
"""


def prometheus(query: str) -> dict[str, Any]:
    return {"metricSource": {"type": "Prometheus", "spec": {"query": query}}}


def document(**spec: Any) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(SLO)
    content["spec"] |= spec
    return content


def indicator(spec: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "x"}, "spec": spec}


def stored(content: dict[str, Any]) -> Document:
    metadata = content["metadata"]
    key = Key(group="openslo", kind=content["kind"], namespace=metadata["namespace"], name=metadata["name"])
    return Document(key=key, content=msgspec.json.encode(content))


def mesh_of(*contents: dict[str, Any]) -> Mesh:
    return link(tuple(fragment_of(stored(one), Settings()) for one in contents), Settings(), 1)


def problems(content: dict[str, Any]) -> list[str]:
    found = check(BY_NAME[content["kind"]], content)
    return [f"{one.code} {'.'.join(map(str, one.path))}: {one.message}" for one in found]


def only(mesh: Mesh) -> Objective:
    (objective,) = mesh.objectives
    return objective


def test_an_objective_is_what_it_says():
    objective = only(mesh_of(document()))
    assert (objective.service, objective.target, objective.window) == ("reviews", 0.999, 28 * 86_400.0)
    assert objective.display == "it works"
    assert objective.good is not None
    assert objective.good.outcome == "good"
    assert objective.total.outcome == ""
    assert objective.total.once
    conditions = [(one.label, one.value) for one in objective.total.conditions]
    assert conditions == [("destination_service", "reviews.shop.svc.cluster.local")]


def test_without_policies_the_four_burn_rates_of_the_workbook_hold_as_far_as_the_window_reaches():
    rules = only(mesh_of(document())).rules
    assert [(one.threshold, one.long, one.short) for one in rules] == [
        (14.4, 3600.0, 300.0),
        (6.0, 6 * 3600.0, 1800.0),
        (3.0, 86_400.0, 7200.0),
        (1.0, 3 * 86_400.0, 6 * 3600.0),
    ]
    day = only(mesh_of(document(timeWindow=[{"duration": "1d", "isRolling": True}])))
    assert [one.threshold for one in day.rules] == [14.4, 6.0, 3.0]


def test_policies_conditions_and_targets_are_found_by_name_and_what_is_not_there_is_told():
    mesh = mesh_of(document(alertPolicies=[{"alertPolicyRef": "fast"}]), *yaml.safe_load_all(POLICY))
    (rule,) = only(mesh).rules
    assert (rule.name, rule.severity, rule.threshold, rule.long, rule.short, rule.after) == (
        "fast",
        "page",
        10.0,
        3600.0,
        0.0,
        300.0,
    )
    (target,) = rule.targets
    assert (target.name, target.kind, target.secret, target.namespace) == ("chat", "slack", "chat", "shop")
    (finding,) = mesh.findings
    assert (finding.code, finding.severity) == ("W0298", Severity.WARNING)
    assert "nobody" in finding.message
    assert finding.document is not None
    assert finding.document.kind == "AlertPolicy"


def test_what_stands_inside_needs_no_document_of_its_own():
    inline = {
        "kind": "AlertPolicy",
        "metadata": {"name": "inside"},
        "spec": {
            "alertWhenBreaching": True,
            "conditions": [
                {
                    "kind": "AlertCondition",
                    "metadata": {"name": "c"},
                    "spec": {"severity": "ticket", "condition": {"threshold": 2, "lookbackWindow": "30m"}},
                }
            ],
            "notificationTargets": [
                {
                    "kind": "AlertNotificationTarget",
                    "metadata": {"name": "hook", "annotations": {"weft.dev/url": "https://hooks.example.com/1"}},
                    "spec": {"target": "webhook"},
                }
            ],
        },
    }
    content = document(alertPolicies=[inline])
    assert problems(content) == []
    (rule,) = only(mesh_of(content)).rules
    assert (rule.name, rule.fires, rule.resolves, rule.after) == ("inside", True, False, 0.0)
    assert rule.targets[0].url == "https://hooks.example.com/1"


def test_a_threshold_counts_the_calls_on_its_right_side():
    metric = {"metricSource": {"type": "weft", "spec": {"service": "reviews", "measure": "latency"}}}
    fast = document(
        indicator=indicator({"thresholdMetric": metric}), objectives=[{"op": "lte", "value": 250, "targetPercent": 99}]
    )
    slow = document(
        indicator=indicator({"thresholdMetric": metric}), objectives=[{"op": "gt", "value": 250, "target": 0.99}]
    )
    assert problems(fast) == []
    first, second = only(mesh_of(fast)), only(mesh_of(slow))
    assert first.good is not None
    assert first.good.within == 250.0
    assert first.bad is None
    assert first.target == pytest.approx(0.99)
    assert second.bad is not None
    assert second.bad.within == 250.0
    assert second.good is None


def test_a_service_of_another_namespace_is_measured_by_the_calls_of_ones_own():
    metric = {"metricSource": {"type": "weft", "spec": {"service": "vault.bank.svc.cluster.local", "calls": "bad"}}}
    ratio = {
        "bad": metric,
        "total": {"metricSource": {"type": "weft", "spec": {"service": "vault.bank.svc.cluster.local"}}},
    }
    objective = only(mesh_of(document(indicator=indicator({"ratioMetric": ratio}))))
    assert ("source_workload_namespace", "shop") in [(one.label, one.value) for one in objective.total.conditions]


def test_queries_are_selectors_of_what_the_mesh_counts():
    total = 'sum(istio_requests_total{reporter="source",destination_service_namespace="shop"})'
    good = 'istio_requests_total{reporter="source",destination_service_namespace="shop",response_code!~"5.."}'
    content = document(indicator=indicator({"ratioMetric": {"good": prometheus(good), "total": prometheus(total)}}))
    assert problems(content) == []
    objective = only(mesh_of(content))
    assert objective.good is not None
    assert ("response_code", "!~", "5..") in [(one.label, one.operator, one.value) for one in objective.good.conditions]
    assert not objective.total.once
    bucket = 'istio_request_duration_milliseconds_bucket{destination_service_namespace="shop",le="250"}'
    count = 'istio_request_duration_milliseconds_count{destination_service_namespace="shop"}'
    fast = only(
        mesh_of(
            document(indicator=indicator({"ratioMetric": {"good": prometheus(bucket), "total": prometheus(count)}}))
        )
    )
    assert fast.good is not None
    assert (fast.good.within, fast.good.metric) == (250.0, "istio_request_duration_milliseconds")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ('istio_requests_total{destination_service_namespace="bank"}', "calls of every namespace"),
        ("istio_requests_total", "calls of every namespace"),
        ('http_requests_total{destination_service_namespace="shop"}', "nothing that weft counts"),
        ('sum(rate(istio_requests_total{destination_service_namespace="shop"}[5m]))', "not a selector"),
        ('istio_requests_total{destination_service_namespace="shop"} offset 5m', "not a selector"),
        ("sum(", "cannot be read"),
        ('istio_request_duration_milliseconds_bucket{destination_service_namespace="shop"}', "one must be chosen"),
        ('istio_requests_total{destination_service_namespace="shop",le="5"}', "only buckets have le"),
        ('istio_requests_total{destination_service_namespace="shop" or a="b"}', "not begin with the name"),
    ],
)
def test_a_query_that_counts_no_calls_of_ones_own_is_refused(query: str, said: str):
    ratio = {"good": prometheus(query), "total": prometheus('istio_requests_total{source_workload_namespace="shop"}')}
    (problem,) = problems(document(indicator=indicator({"ratioMetric": ratio})))
    assert "good.metricSource.spec.query" in problem
    assert said in problem


WEFT = {"metricSource": {"type": "weft", "spec": {"service": "reviews"}}}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"budgetingMethod": "Timeslices"}, "W0110 spec.budgetingMethod"),
        ({"budgetingMethod": "RatioTimeslices"}, "W0110 spec.budgetingMethod"),
        ({"timeWindow": [{"duration": "1M", "isRolling": True}]}, "W0110 spec.timeWindow.0.duration"),
        ({"timeWindow": [{"duration": "31d", "isRolling": True}]}, "W0110 spec.timeWindow.0.duration"),
        (
            {"timeWindow": [{"duration": "1d", "calendar": {"startTime": "2020-01-21 12:30:00", "timeZone": "UTC"}}]},
            "W0110 spec.timeWindow.0.calendar",
        ),
        ({"timeWindow": [{"duration": "soon", "isRolling": True}]}, "W0102 spec.timeWindow.0.duration"),
        ({"timeWindow": []}, "W0105 spec.timeWindow"),
        ({"objectives": []}, "W0105 spec.objectives"),
        ({"objectives": [{"target": 0.9, "targetPercent": 90}]}, "W0106 spec.objectives.0"),
        ({"objectives": [{"target": 0.9, "timeSliceTarget": 0.5}]}, "W0110 spec.objectives.0.timeSliceTarget"),
        ({"objectives": [{"target": 0.9, "op": "lte", "value": 1}]}, "W0106 spec.objectives.0"),
        ({"indicatorRef": "x"}, "W0106 spec"),
        ({"indicator": indicator({"ratioMetric": {"good": WEFT}})}, "W0105 spec.indicator.spec.ratioMetric"),
        (
            {"indicator": indicator({"ratioMetric": {"good": WEFT, "total": WEFT, "counter": False}})},
            "W0110 spec.indicator.spec.ratioMetric.counter",
        ),
        (
            {"indicator": indicator({"ratioMetric": {"raw": WEFT, "rawType": "success"}})},
            "W0110 spec.indicator.spec.ratioMetric.raw",
        ),
        (
            {"indicator": indicator({"ratioMetric": {"good": {"metricSource": {"type": "Datadog"}}, "total": WEFT}})},
            "W0110 spec.indicator.spec.ratioMetric.good.metricSource.type",
        ),
        (
            {
                "indicator": indicator(
                    {"ratioMetric": {"good": {"metricSource": {"metricSourceRef": "x", "type": "weft"}}, "total": WEFT}}
                )
            },
            "W0110 spec.indicator.spec.ratioMetric.good.metricSource.metricSourceRef",
        ),
        ({"alertPolicies": [{}]}, "W0105 spec.alertPolicies.0"),
    ],
)
def test_what_is_not_served_is_refused_at_its_place(spec: dict[str, Any], said: str):
    assert said in [one.partition(":")[0] for one in problems(document(**spec))]


def test_a_target_that_weft_cannot_tell_is_refused():
    content = {
        "apiVersion": "openslo/v1",
        "kind": "AlertNotificationTarget",
        "metadata": {"name": "mail", "namespace": "shop"},
        "spec": {"target": "email"},
    }
    said = " ".join(problems(content))
    assert 'the target "email" is not served' in said
    assert "where the target is" in said


def test_a_display_name_is_kept_as_an_annotation_for_metadata_of_kubernetes_has_none():
    content = document()
    content["metadata"]["displayName"] = "Reviews"
    kept = received(content)
    assert kept["metadata"]["annotations"] == {"openslo.com/display-name": "Reviews"}
    assert "displayName" not in kept["metadata"]
    assert problems(kept) == []
    assert received({"metadata": 7}) == {"metadata": 7}


def test_an_indicator_that_is_not_there_is_an_error_in_the_mesh_and_nothing_is_watched():
    content = document(indicatorRef="elsewhere")
    del content["spec"]["indicator"]
    mesh = mesh_of(content)
    assert mesh.objectives == ()
    assert [one.code for one in mesh.findings] == ["W0298"]
    sli = {
        "apiVersion": "openslo/v1",
        "kind": "SLI",
        "metadata": {"name": "elsewhere", "namespace": "shop"},
        "spec": document()["spec"]["indicator"]["spec"],
    }
    assert len(mesh_of(content, sli).objectives) == 1


def test_every_kind_of_the_specification_but_data_sources_is_served():
    assert {one.kind.kind for one in SERVED} == {
        "SLO",
        "SLI",
        "AlertPolicy",
        "AlertCondition",
        "AlertNotificationTarget",
        "Service",
    }
