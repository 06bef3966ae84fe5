"""Delegates: Istio's own cases of merging, and what is told of those that lead nowhere."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.dialects.documents import codes, document, fragment, linked
from tests.dialects.recorded import lines, needs_data
from weft.dialects.link_matches import merged_matches
from weft.model.finding import Severity
from weft.model.mesh import Mesh
from weft.model.route import Forward, HttpRule

CASES = list(lines("routes/delegate_merge.jsonl"))
ROUTE = "route: [{destination: {host: reviews}}]"
ROOT = "hosts: [reviews]\nhttp:\n- match: [{uri: {prefix: /api}}]\n  delegate: {name: leaf}\n"


def _rules(http: list[dict[str, Any]]) -> tuple[HttpRule, ...]:
    return fragment("VirtualService", {"http": http}, "leaf", namespace="default").route_tables[0].http


def _matched(match: list[dict[str, Any]]) -> tuple[HttpRule, ...]:
    return _rules([{"match": match, "route": [{"destination": {"host": "a.b"}}]}])


@needs_data
@pytest.mark.parametrize(
    "case", [one for one in CASES if one["func"] == "MergeHTTPRoutes"], ids=lambda one: one["test"]
)
def test_rules_are_merged_as_in_istio(case: dict[str, Any]) -> None:
    mesh = linked(
        document("VirtualService", {"hosts": ["a.b"], "http": [case["root"]]}, "root", namespace="default"),
        document("VirtualService", {"http": case["delegate"]}, "delegate", namespace="default"),
    )
    assert _anywhere(mesh.route_tables[0].http) == _anywhere(_rules(case["out"]))


def _anywhere(rules: tuple[HttpRule, ...]) -> tuple[HttpRule, ...]:
    """Rules without the places that they are written at."""
    return tuple(replace(rule, written=None) for rule in rules)


@needs_data
@pytest.mark.parametrize(
    "case", [one for one in CASES if one["func"] == "mergeHTTPMatchRequests"], ids=lambda one: one["test"]
)
def test_matches_are_merged_as_in_istio(case: dict[str, Any]) -> None:
    root, delegate, out = (_matched(case[name])[0].matches for name in ("root", "delegate", "out"))
    assert merged_matches(root, delegate) == (None if case["conflict"] else out)


@pytest.mark.parametrize(
    ("root", "leaf"),
    [
        ({"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/b"}}),
        ({"uri": {"prefix": "/a/b"}}, {"uri": {"exact": "/a"}}),
        ({"uri": {"exact": "/a"}}, {"uri": {"prefix": "/a"}}),
        ({"uri": {"exact": "/a"}}, {"uri": {"exact": "/b"}}),
        ({"uri": {"regex": "/a.*"}}, {"uri": {"regex": "/a.*"}}),
        ({"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/a"}, "ignoreUriCase": True}),
        ({"method": {"exact": "GET"}}, {"method": {"exact": "PUT"}}),
        ({"headers": {"h": {"exact": "1"}}}, {"headers": {"h": {"exact": "2"}}}),
        ({"headers": {"h": {}}}, {"headers": {"h": {}}}),
        ({"withoutHeaders": {"h": {"exact": "1"}}}, {"withoutHeaders": {"h": {"exact": "2"}}}),
        ({"queryParams": {"q": {"exact": "1"}}}, {"queryParams": {"q": {"exact": "2"}}}),
        ({"port": 80}, {"port": 81}),
        ({"sourceLabels": {"app": "a"}}, {"sourceLabels": {"app": "b"}}),
        ({"sourceNamespace": "a"}, {"uri": {"prefix": "/"}}),
        ({"gateways": ["mesh"]}, {"gateways": ["shop/edge"]}),
    ],
)
def test_a_match_that_is_no_part_of_the_leading_one_is_a_conflict(root: dict[str, Any], leaf: dict[str, Any]) -> None:
    assert merged_matches(_matched([root])[0].matches, _matched([leaf])[0].matches) is None


def test_a_match_that_agrees_with_one_of_several_is_merged_with_that_one() -> None:
    roots = _matched([{"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/b"}, "headers": {"h": {"exact": "1"}}}])[
        0
    ].matches
    leaf = _matched([{"uri": {"exact": "/b/c"}, "name": "c"}])[0].matches
    wanted = _matched([{"uri": {"exact": "/b/c"}, "name": "c", "headers": {"h": {"exact": "1"}}}])[0].matches
    assert merged_matches(roots, leaf) == wanted


FULL = "route: [{destination: {host: reviews.shop.svc.cluster.local}}]"


def _mesh(leaf: str = FULL, root: str = ROOT, more: str = "", **options: Any) -> Mesh:
    return linked(
        document("Service", "selector: {app: reviews}\nports: [{port: 9080, name: http}]", "reviews"),
        document("VirtualService", root, "root"),
        document("VirtualService", f"{more}\nhttp:\n- {leaf}\n", "leaf", **options),
    )


def test_what_a_delegates_rule_does_not_say_the_leading_rule_does() -> None:
    root = ROOT + "  timeout: 3s\n  retries: {attempts: 1}\n  name: api\n  corsPolicy: {maxAge: 1s}\n"
    own = f"name: own\n  timeout: 5s\n  {ROUTE}"
    (rule,) = _mesh(own, root).route_tables[0].http
    assert isinstance(rule.action, Forward)
    assert (rule.name, rule.action.timeout, rule.cors is not None, rule.delegate) == ("api-own", 5000, True, None)
    assert rule.action.retries is not None
    assert rule.action.retries.attempts == 1


def test_a_mirror_of_nothing_is_said_and_keeps_that_of_the_leading_rule_out() -> None:
    root = ROOT + "  mirror: {host: ratings.shop}\n"
    own = f"mirror: {{host: reviews}}\n  mirrorPercentage: {{value: 0}}\n  {ROUTE}"
    (rule,) = _mesh(own, root).route_tables[0].http
    assert isinstance(rule.action, Forward)
    assert [mirror.percent for mirror in rule.action.mirrors] == [0.0]


def test_a_missing_delegate_is_told_and_the_rest_is_served() -> None:
    mesh = linked(document("VirtualService", f"{ROOT}- {ROUTE}\n", "root"))
    assert ("W0230", "spec.http.0.delegate") in codes(mesh.findings)
    assert len(mesh.route_tables[0].http) == 1


def test_a_rule_that_delegates_to_its_own_document_leads_nowhere() -> None:
    mesh = linked(document("VirtualService", ROOT.replace("leaf", "root"), "root"))
    assert codes(mesh.findings) == [("W0230", "spec.http.0.delegate")]
    assert "has hosts" in mesh.findings[0].message
    assert mesh.route_tables[0].http == ()


def test_a_delegate_of_another_namespace_must_be_exported() -> None:
    root = ROOT.replace("name: leaf", "name: leaf, namespace: other")
    hidden = _mesh(root=root, more='exportTo: ["."]', namespace="other")
    assert codes(hidden.findings) == [("W0231", "spec.http.0.delegate")]
    assert hidden.route_tables[0].http == ()
    seen = _mesh(root=root, more="exportTo: [shop]", namespace="other")
    assert len(seen.route_tables[0].http) == 1


def test_a_delegates_rule_that_conflicts_is_told_at_its_own_place() -> None:
    mesh = _mesh(f"match: [{{uri: {{prefix: /other}}}}]\n  {ROUTE}\n- {ROUTE}")
    assert codes(mesh.findings) == [("W0232", "spec.http.0.match")]
    assert mesh.findings[0].document is not None
    assert mesh.findings[0].document.name == "leaf"
    assert len(mesh.route_tables[0].http) == 1


def test_a_delegate_that_nothing_leads_to_is_noted_and_no_table_of_its_own() -> None:
    mesh = linked(document("VirtualService", f"http:\n- {ROUTE}\n", "leaf"))
    assert [finding.severity for finding in mesh.findings if finding.code == "W0233"] == [Severity.NOTE]
    assert mesh.route_tables == ()
