"""Each step of an explanation names the place in the document that makes it so."""

from typing import Any

from tests.dialects.documents import document, linked
from weft.compiler.resources import resources_of
from weft.explain.call import Explanation, parse_call
from weft.explain.causes import caused
from weft.explain.walk import explain
from weft.kit.value import labels_of
from weft.model.document import Document
from weft.model.finding import field_path
from weft.model.identity import Identity
from weft.model.mesh import Mesh
from weft.view.build import view_of
from weft.view.node import GatewayPlace, Node, Outlet

SERVICE = document("Service", {"selector": {"app": "reviews"}, "ports": [{"name": "http", "port": 9080}]}, "reviews")
WORKLOAD = document(
    "WorkloadEntry",
    {"address": "10.0.0.1", "labels": {"app": "reviews", "version": "v1"}, "serviceAccount": "reviews"},
    "reviews-1",
)
TO_V1 = {"route": [{"destination": {"host": "reviews", "subset": "v1"}}]}
RULES = document(
    "VirtualService",
    {
        "hosts": ["reviews"],
        "http": [
            {"match": [{"sourceLabels": {"app": "other"}}], **TO_V1},
            {"match": [{"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/b"}}], **TO_V1},
            {"name": "last", **TO_V1},
        ],
    },
    "rules",
)
POLICY = document(
    "DestinationRule",
    {"host": "reviews", "subsets": [{"name": "v0"}, {"name": "v1", "labels": {"version": "v1"}}]},
    "policy",
)
STRICT = document("PeerAuthentication", {"mtls": {"mode": "STRICT"}}, "strict")


BYTES = document("Service", {"selector": {"app": "reviews"}, "ports": [{"name": "tcp", "port": 7000}]}, "bytes")
NAMES = document("Service", {"selector": {"app": "reviews"}, "ports": [{"name": "tls", "port": 8443}]}, "names")
CONNECTIONS = document(
    "VirtualService",
    {
        "hosts": ["bytes"],
        "tcp": [
            {"match": [{"port": 7001}], "route": [{"destination": {"host": "reviews"}}]},
            {"route": [{"destination": {"host": "reviews", "port": {"number": 9080}}}]},
        ],
    },
    "connections",
)
SEALED = document(
    "VirtualService",
    {
        "hosts": ["names", "*.example.com"],
        "tls": [
            {"match": [{"sniHosts": ["a.example.com"]}], "route": [{"destination": {"host": "names"}}]},
            {"match": [{"sniHosts": ["b.example.com"]}], "route": [{"destination": {"host": "names"}}]},
        ],
    },
    "sealed",
)


def test_rules_for_connections_are_named() -> None:
    outlets = (Outlet(host="bytes", port=7000, bind_port=15002), Outlet(host="names", port=8443, bind_port=15003))
    documents = mesh(BYTES, NAMES, CONNECTIONS, SEALED)
    assert told(documents, "tcp://bytes:7000/", outlets=outlets)["cluster"][0].endswith("connections spec.tcp[1]")
    for number, name in enumerate("ab"):
        found = told(documents, f"tls://{name}.example.com:8443/", outlets=outlets)["cluster"]
        assert found[0].endswith(f"sealed spec.tls[{number}]")


def test_routes_for_connections_are_named_at_gateways() -> None:
    group = "gateway.networking.k8s.io"
    edge = document(f"Gateway.{group}", {"gatewayClassName": "weft", "listeners": [LISTENER]}, "edge")
    route = {"parentRefs": [{"name": "edge"}], "rules": [{"backendRefs": [{"name": "bytes", "port": 7000}]}]}
    node = {
        "gateway": GatewayPlace(bind="127.0.0.1"),
        "labels": labels_of({f"{group}/gateway-name": "edge"}),
        "http_proxy": None,
    }
    found = told(mesh(BYTES, edge, document("TCPRoute", route, "passed")), "tcp://any:9000/", **node)
    assert found["cluster"][0].endswith("passed spec.rules[0]")


LISTENER = {"name": "tcp", "port": 9000, "protocol": "TCP"}


def told(mesh: Mesh, url: str, **node: Any) -> dict[str, list[str]]:
    """The causes of each step."""
    who = Node(
        id="web.shop",
        namespace="shop",
        workload="web",
        identity=Identity(trust_domain="cluster.local", namespace="shop", account="web"),
        **({"http_proxy": ("127.0.0.1", 15001)} | node),
    )
    said: Explanation = caused(explain(resources_of(view_of(mesh, who)), parse_call("GET", url)), mesh, who)
    return {step.name: [f"{one.document} {field_path(one.path)}" for one in step.causes] for step in said.steps}


def mesh(*documents: Document) -> Mesh:
    return linked(SERVICE, WORKLOAD, *documents)


def test_without_rules_the_service_is_the_cause() -> None:
    found = told(mesh(), "http://reviews:9080/")
    assert found["listener"] == []
    assert found["virtual host"] == ["Service shop/reviews spec"]
    assert found["route"] == []
    assert found["cluster"] == ["Service shop/reviews spec"]
    assert found["endpoints"] == ["Service shop/reviews spec"]


def test_a_route_names_its_rule_though_rules_of_other_callers_are_not_sent() -> None:
    found = told(mesh(RULES, POLICY), "http://reviews:9080/b")
    assert found["virtual host"] == ["VirtualService shop/rules spec.hosts"]
    assert found["route"] == found["action"] == ["VirtualService shop/rules spec.http[1]"]
    assert told(mesh(RULES, POLICY), "http://reviews:9080/c")["route"] == ["VirtualService shop/rules spec.http[2]"]


def test_a_cluster_names_the_subset_and_the_peer_what_it_asks_for() -> None:
    found = told(mesh(RULES, POLICY, STRICT), "http://reviews:9080/")
    assert found["cluster"] == ["DestinationRule shop/policy spec.subsets[1]"]
    assert found["endpoints"] == ["Service shop/reviews spec"]
    assert found["identity"] == [
        "DestinationRule shop/policy spec.subsets[1]",
        "PeerAuthentication shop/strict spec.mtls",
    ]


def test_a_rule_of_a_delegate_is_named_in_its_own_document() -> None:
    root = document("VirtualService", {"hosts": ["reviews"], "http": [{"delegate": {"name": "leaf"}}]}, "root")
    leaf = document("VirtualService", {"http": [{"match": [{"uri": {"prefix": "/x"}}], **TO_V1}, TO_V1]}, "leaf")
    found = told(mesh(root, leaf, POLICY), "http://reviews:9080/")
    assert found["virtual host"] == ["VirtualService shop/root spec.hosts"]
    assert found["route"] == ["VirtualService shop/leaf spec.http[1]"]


def test_at_a_gateway_server_and_rule_are_named_among_those_of_several_documents() -> None:
    server = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
    gateway = document("Gateway", {"selector": {"istio": "edge"}, "servers": [server]}, "edge")
    first = document(
        "VirtualService",
        {"hosts": ["a.example.com"], "gateways": ["edge"], "http": [{"match": [{"uri": {"exact": "/1"}}], **TO_V1}]},
        "first",
        created="2026-01-01T00:00:00Z",
    )
    second = document(
        "VirtualService",
        {"hosts": ["a.example.com"], "gateways": ["edge"], "http": [TO_V1]},
        "second",
        created="2026-01-02T00:00:00Z",
    )
    place = {"gateway": GatewayPlace(bind="127.0.0.1"), "http_proxy": None, "labels": labels_of({"istio": "edge"})}
    found = told(mesh(gateway, first, second, POLICY), "http://a.example.com/2", **place)
    assert found["listener"] == ["Gateway shop/edge spec.servers[0]"]
    assert found["route"] == ["VirtualService shop/second spec.http[0]"]
    found = told(mesh(gateway, first, second, POLICY), "http://a.example.com/1", **place)
    assert found["route"] == ["VirtualService shop/first spec.http[0]"]


def test_a_breaker_and_limits_name_their_policies() -> None:
    target = {"targetRefs": [{"kind": "Service", "name": "reviews"}]}
    breaker = document("CircuitBreaker", {**target, "failureThreshold": 3}, "careful")
    rules = {"targetRefs": [{"kind": "VirtualService", "name": "rules"}]}
    limits = document(
        "RateLimitPolicy", {**rules, "limits": [{"name": "few", "requests": 5, "per": "Minute"}]}, "polite"
    )
    found = told(mesh(RULES, POLICY, breaker, limits), "http://reviews:9080/")
    assert found["breaker"] == ["CircuitBreaker shop/careful spec"]
    assert found["rate limits"] == ["RateLimitPolicy shop/polite spec"]


def test_a_cluster_whose_endpoints_are_checked_names_the_check() -> None:
    check = document(
        "HealthCheck", {"targetRefs": [{"kind": "Service", "name": "reviews"}], "http": {"path": "/"}}, "reviews"
    )
    found = told(mesh(RULES, POLICY, check), "http://reviews:9080/")
    assert found["cluster"][-1] == "HealthCheck shop/reviews spec"
