"""What ``explain`` says of the limits and the breaker that a call meets."""

from pathlib import Path

from msgspec.structs import replace

from tests.intents.intent import caller, server
from tests.limits.rig import mesh_with
from weft.compiler.resources import resources_of
from weft.explain.call import Explanation, parse_call
from weft.explain.walk import explain
from weft.view.build import view_of
from weft.view.node import Inlet

_HEAD = "apiVersion: weft.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: orders, namespace: shop}}\nspec:\n  "
_LIMITS = _HEAD.format(kind="RateLimitPolicy")
_BREAKER = _HEAD.format(kind="CircuitBreaker")
_ROUTE = """
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec:
  hosts: [reviews]
  http: [{route: [{destination: {host: reviews}}]}]
"""


def _explained(text: str, directory: Path) -> Explanation:
    mesh = mesh_with(text, directory)
    inlet = Inlet(name="http", port=9080, bind="10.0.0.11", bind_port=9080, app_port=9081)
    peers = [resources_of(view_of(mesh, replace(server("reviews-v1"), inlets=(inlet,))))]
    own = resources_of(view_of(mesh, caller("web-1")))
    return explain(own, parse_call("GET", "http://reviews:9080/", ()), peers)


def _step(found: Explanation, name: str) -> tuple[str, tuple[str, ...]]:
    (step,) = [one for one in found.steps if one.name == name]
    return step.what, step.details


def test_the_limits_of_a_route_and_how_they_count_are_told(tmp_path: Path):
    limits = "[{name: a, requests: 5, per: Minute, burst: 9, by: [{header: {name: x-user}}, {clientIdentity: {}}]},"
    limits += " {name: b, requests: 5, per: Day, scope: Global, when: {path: {prefix: /api}}}]"
    text = f"{_LIMITS}targetRefs: [{{kind: VirtualService, name: reviews}}]\n  limits: {limits}{_ROUTE}"
    _, details = _step(_explained(text, tmp_path), "rate limits")
    assert details == (
        "shop/orders/a: 5 a minute, 9 at once for each value of x-user and caller",
        "shop/orders/b: counted by the control plane, if its conditions hold; let pass when that is away",
    )


def test_a_breaker_tells_its_rules_and_one_that_is_forced_open_fails_the_call(tmp_path: Path):
    text = f"{_BREAKER}targetRefs: [{{kind: Service, name: reviews}}]\n  failureRate: 50\n  halfOpenRequests: 3"
    found = _explained(text, tmp_path)
    what, details = _step(found, "breaker")
    assert what == "shop/orders lets it pass while it is closed"
    assert details[0] == "opens when 50 % of at least 20 calls fail within 10 s"
    assert details[-1] == "then 3 at once are tried, 3 successes close it"
    assert found.ok
    assert not _explained(f"{text}\n  force: Open", tmp_path).ok


def test_the_limits_in_front_of_the_application_are_told_too(tmp_path: Path):
    limits = "[{requests: 5, per: Second, mode: Shadow, by: [{clientAddress: {}}]}]"
    text = f"{_LIMITS}targetRefs: [{{kind: Service, name: reviews}}]\n  limits: {limits}"
    what, details = _step(_explained(text, tmp_path), "rate limits")
    assert what == "a request must be within each of them where it arrives"
    assert details == ("shop/orders/0: 5 a second, 5 at once (only counted) for each address",)


def test_nothing_is_said_where_nothing_guards(tmp_path: Path):
    names = {one.name for one in _explained(_ROUTE.lstrip("-\n"), tmp_path).steps}
    assert not names & {"breaker", "rate limits"}


def test_a_breaker_that_is_forced_open_sends_the_call_to_its_fallback(tmp_path: Path):
    target = "targetRefs: [{kind: Service, name: reviews}]"
    found = _explained(f"{_BREAKER}{target}\n  force: Open\n  fallback: {{host: ratings}}", tmp_path)
    assert _step(found, "breaker")[0] == "it is forced open (shop/orders): calls go to its fallback"
    assert _step(found, "cluster")[0] == "100 % to outbound|9080||ratings.shop.svc.cluster.local"


def test_a_breaker_tells_that_it_has_a_fallback(tmp_path: Path):
    target = "targetRefs: [{kind: Service, name: reviews}]"
    found = _explained(f"{_BREAKER}{target}\n  fallback: {{host: ratings}}", tmp_path)
    assert "calls go to its fallback while it is open" in _step(found, "breaker")[1]
    assert _step(found, "cluster")[0] == "100 % to outbound|9080||reviews.shop.svc.cluster.local"


def test_how_endpoints_are_checked_is_told(tmp_path: Path) -> None:
    text = f"{_HEAD.format(kind='HealthCheck')}targetRefs: [{{kind: Service, name: reviews}}]\n  "
    found = {
        "http: {path: /healthz}": "each endpoint is asked for /healthz every 10 s, and left out after 3 failures",
        "interval: 1500ms\n  tcp: {}": "each endpoint is connected to every 1.5 s, and left out after 3 failures",
    }
    for spec, words in found.items():
        _, details = _step(_explained(text + spec, tmp_path), "cluster")
        assert words in details
