"""Which policy holds for a call: the narrower one, at each place one."""

from pathlib import Path

from tests.intents.intent import caller, server
from tests.limits.rig import mesh_with
from weft.model.mesh import Mesh
from weft.model.route import Destination, Forward
from weft.view.build import view_of
from weft.view.view import Route


def _policy(kind: str, name: str, attached: str, rules: str) -> str:
    return f"""
apiVersion: weft.dev/v1alpha1
kind: {kind}
metadata: {{name: {name}, namespace: shop}}
spec:
  {attached}
  {rules}
---"""


def _limits(name: str, attached: str) -> str:
    return _policy("RateLimitPolicy", name, attached, "limits: [{requests: 5, per: Minute}]")


def _breaker(name: str, attached: str) -> str:
    return _policy("CircuitBreaker", name, attached, "failureThreshold: 3")


_RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec:
  hosts: [reviews]
  http:
  - name: one
    match: [{uri: {prefix: /one}}]
    route: [{destination: {host: reviews}, weight: 50}, {destination: {host: ratings}, weight: 50}]
  - name: two
    route: [{destination: {host: reviews}}]
"""
_VIRTUAL_SERVICE = "targetRefs: [{kind: VirtualService, name: reviews}]"
_RULE = "targetRefs: [{kind: VirtualService, name: reviews, sectionName: one}]"
_SERVICE = "targetRefs: [{kind: Service, name: reviews}]"
_PORT = "targetRefs: [{kind: Service, name: reviews, sectionName: http}]"


def _routes(mesh: Mesh) -> tuple[Route, ...]:
    hosts = view_of(mesh, caller("web-1")).outbound.virtual_hosts
    return next(one.routes for one in hosts if one.host.startswith("reviews."))


def _inbound(mesh: Mesh) -> str:
    (port,) = view_of(mesh, server("reviews-v1")).inbound
    return port.limits.name if port.limits else ""


def test_a_breaker_of_a_service_guards_the_routes_to_it_and_no_others(tmp_path: Path):
    one, two = _routes(mesh_with(_breaker("all", _SERVICE) + _RULES, tmp_path))
    assert [guarded.destination.host.partition(".")[0] for guarded in one.breakers] == ["reviews"]
    assert [guarded.breaker.name for guarded in two.breakers] == ["shop/all"]


def test_a_rules_own_breaker_comes_before_its_routes_and_that_before_a_services(tmp_path: Path):
    text = _breaker("all", _SERVICE) + _breaker("rule", _RULE) + _breaker("route", _VIRTUAL_SERVICE) + _RULES
    one, two = _routes(mesh_with(text, tmp_path))
    assert [guarded.breaker.name for guarded in one.breakers] == ["shop/rule", "shop/rule"]
    assert [guarded.breaker.name for guarded in two.breakers] == ["shop/route"]


def test_limits_of_a_rule_are_its_routes_alone(tmp_path: Path):
    one, two = _routes(mesh_with(_limits("rule", _RULE) + _RULES, tmp_path))
    assert one.limits is not None
    assert one.limits.name == "shop/rule"
    assert two.limits is None


def test_limits_of_a_port_come_before_the_services_and_those_before_a_selectors(tmp_path: Path):
    selected = _limits("selected", "selector: {matchLabels: {app: reviews}}")
    everybody = _limits("everybody", "selector: {}")
    service, port = _limits("service", _SERVICE), _limits("port", _PORT)
    assert _inbound(mesh_with(everybody.rstrip("-"), tmp_path)) == "shop/everybody"
    assert _inbound(mesh_with((everybody + selected).rstrip("-"), tmp_path)) == "shop/selected"
    assert _inbound(mesh_with((everybody + selected + service).rstrip("-"), tmp_path)) == "shop/service"
    assert _inbound(mesh_with((service + port).rstrip("-"), tmp_path)) == "shop/port"


def test_nothing_of_it_is_in_a_mesh_without_policies(tmp_path: Path):
    mesh = mesh_with(_RULES, tmp_path)
    assert not any(route.breakers or route.limits for route in _routes(mesh))
    assert _inbound(mesh) == ""


def _fallbacks(mesh: Mesh) -> list[tuple[str, list[str]]]:
    """Which breaker's refused calls each route takes, and where they go."""
    routes = (route for route in _routes(mesh) if isinstance(route.action, Forward))
    return [
        (one.match.refused_by, [to.destination.host.partition(".")[0] for to in one.action.backends]) for one in routes
    ]


def _with_fallback(host: str, force: str = "") -> str:
    return _policy("CircuitBreaker", "all", _SERVICE, f"fallback: {{host: {host}}}{force}")


def test_what_a_breaker_refuses_goes_to_its_fallback_by_a_route_before_each_that_it_guards(tmp_path: Path):
    found = _fallbacks(mesh_with(_with_fallback("ratings") + _RULES, tmp_path))
    assert found == [
        ("shop/all", ["ratings"]),
        ("", ["reviews", "ratings"]),
        ("shop/all", ["ratings"]),
        ("", ["reviews"]),
    ]


def test_the_route_to_a_fallback_has_no_breaker_and_no_faults(tmp_path: Path):
    rules = _RULES.replace(
        "- name: two\n", "- name: two\n    fault: {abort: {httpStatus: 500, percentage: {value: 100}}}\n"
    )
    *_, refused, own = _routes(mesh_with(_with_fallback("ratings") + rules, tmp_path))
    assert (refused.fault, refused.breakers) == (None, ())
    assert refused.headers.response.set == (("x-weft-circuit-breaker", "fallback"),)
    assert own.fault is not None
    assert own.breakers[0].fallback == Destination(host="ratings.shop.svc.cluster.local", port=9080)


def test_a_fallback_that_the_caller_does_not_see_is_none(tmp_path: Path):
    mesh = mesh_with(_with_fallback("nobody") + _RULES, tmp_path)
    assert [refused for refused, _ in _fallbacks(mesh)] == ["", ""]
    assert [one.code for one in mesh.findings] == ["W0201"]
