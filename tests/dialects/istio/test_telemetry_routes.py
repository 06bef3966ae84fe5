"""A Telemetry of routes: what is said of it alone, and which rules it reaches."""

from typing import Any

import pytest

from tests.dialects.documents import BY_NAME, content_of
from tests.intents.intent import mesh_of
from weft.dialects.translate import check
from weft.model.finding import field_path
from weft.model.mesh import Mesh
from weft.model.route import RouteSpans

ISTIO = {"group": "networking.istio.io", "kind": "VirtualService", "name": "reviews"}
HTTP = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "reviews"}
GRPC = {"group": "gateway.networking.k8s.io", "kind": "GRPCRoute", "name": "reviews"}
GATEWAY = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge"}
FEW: list[dict[str, Any]] = [{"randomSamplingPercentage": 5}]


def said(**spec: Any) -> set[tuple[str, str]]:
    return {(one.code, field_path(one.path)) for one in check(BY_NAME["Telemetry"], content_of("Telemetry", spec))}


@pytest.mark.parametrize("target", [ISTIO, HTTP, GRPC])
@pytest.mark.parametrize("tracing", [FEW, [{"disableSpanReporting": True}]])
def test_routes_may_say_of_how_many_of_their_calls_there_are_spans(target: Any, tracing: Any) -> None:
    assert said(targetRefs=[target], tracing=tracing) == set()
    assert said(targetRef=target, tracing=tracing) == set()


@pytest.mark.parametrize(
    ("spec", "code", "place"),
    [
        ({"tracing": [{}]}, "W0105", "spec.tracing[0]"),
        ({}, "W0105", "spec"),
        ({"tracing": FEW, "metrics": [{}]}, "W0106", "spec.metrics"),
        ({"tracing": FEW, "accessLogging": [{"disabled": True}]}, "W0106", "spec.accessLogging"),
        ({"tracing": FEW, "targetRefs": [ISTIO, GATEWAY]}, "W0106", "spec.targetRefs"),
        ({"tracing": FEW, "selector": {"matchLabels": {"app": "web"}}}, "W0106", "spec.targetRefs"),
    ],
)
def test_everything_else_is_refused_by_name(spec: dict[str, Any], code: str, place: str) -> None:
    assert (code, place) in said(**{"targetRefs": [ISTIO], **spec})


@pytest.mark.parametrize(
    "field",
    [
        {"match": {"mode": "CLIENT"}},
        {"providers": [{"name": "weft"}]},
        {"customTags": {"a": {"literal": {"value": "b"}}}},
        {"enableIstioTags": True},
        {"disableContextPropagation": True},
        {"useRequestIdForTraceSampling": True},
    ],
)
def test_other_words_of_tracing_are_not_for_routes(field: dict[str, Any]) -> None:
    assert said(targetRefs=[ISTIO], tracing=[FEW[0] | field]) == {("W0106", f"spec.tracing[0].{next(iter(field))}")}


def test_other_policies_are_not_of_routes() -> None:
    spec = {"targetRefs": [ISTIO], "url": "file:///opt/it.wasm"}
    found = check(BY_NAME["WasmPlugin"], content_of("WasmPlugin", spec))
    assert [one.code for one in found] == ["W0121"]


_RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec:
  hosts: [reviews]
  http:
  - {match: [{uri: {prefix: /part}}], delegate: {name: part}}
  - {route: [{destination: {host: reviews}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: part, namespace: shop}
spec:
  http: [{route: [{destination: {host: reviews}}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ratings, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: ratings, port: 9080}]
  rules: [{backendRefs: [{name: ratings, port: 9080}]}]
"""


def _of(name: str, target: str, tracing: str, created: str = "2026-01-01T00:00:00Z") -> str:
    group, _, kind_name = target.partition("/")
    kind, _, route = kind_name.partition("/")
    return f"""
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {{name: {name}, namespace: shop, creationTimestamp: "{created}"}}
spec:
  targetRefs: [{{group: {group}, kind: {kind}, name: {route}}}]
  tracing: [{tracing}]
"""


def _spans(mesh: Mesh) -> dict[str, list[RouteSpans | None]]:
    return {table.origin.key.name: [rule.spans for rule in table.http] for table in mesh.route_tables}


def test_rules_of_every_kind_of_route_know_what_is_said_of_them() -> None:
    few = _of("few", "networking.istio.io/VirtualService/reviews", "{randomSamplingPercentage: 5}")
    none = _of("none", "gateway.networking.k8s.io/HTTPRoute/ratings", "{disableSpanReporting: true}")
    part = _of("part", "networking.istio.io/VirtualService/part", "{randomSamplingPercentage: 50}")
    found = _spans(mesh_of(_RULES + few + none + part))
    assert found["reviews"] == [RouteSpans(percent=50), RouteSpans(percent=5)], "a delegate's rules are its own"
    assert found["ratings"] == [RouteSpans(disabled=True)]
    assert _spans(mesh_of(_RULES + part))["reviews"] == [RouteSpans(percent=50), None]


def test_of_two_documents_of_a_route_the_older_holds_and_a_route_that_is_not_there_is_told() -> None:
    route = "networking.istio.io/VirtualService/reviews"
    older = _of("zebra", route, "{randomSamplingPercentage: 5}")
    younger = _of("ant", route, "{randomSamplingPercentage: 7}", "2026-02-01T00:00:00Z")
    lost = _of("lost", "networking.istio.io/VirtualService/gone", "{randomSamplingPercentage: 7}")
    mesh = mesh_of(_RULES + older + younger + lost)
    assert _spans(mesh)["reviews"][1] == RouteSpans(percent=5)
    said = {(one.code, one.document.name) for one in mesh.findings if one.document and one.document.kind == "Telemetry"}
    assert said == {("W0242", "ant"), ("W0241", "lost")}


def test_proxies_keep_their_own_percentage_where_a_document_leaves_it_to_them() -> None:
    left = _of("left", "networking.istio.io/VirtualService/reviews", "{disableSpanReporting: false}")
    assert _spans(mesh_of(_RULES + left))["reviews"] == [None, None]


def test_a_percentage_that_tracers_of_other_providers_do_not_ask_for_is_told() -> None:
    few = _of("few", "networking.istio.io/VirtualService/reviews", "{randomSamplingPercentage: 5}")
    other = """
---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: |
    extensionProviders: [{name: zip, zipkin: {service: ratings.shop.svc.cluster.local, port: 9080}}]
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: proxies, namespace: shop}
spec: {tracing: [{providers: [{name: NAME}]}]}
"""

    def told(name: str) -> list[str]:
        findings = mesh_of(_RULES + few + other.replace("NAME", name)).findings
        return [one.message for one in findings if one.document and one.document.name == "few"]

    assert told("weft") == []
    (message,) = told("zip")
    assert "zip" in message
