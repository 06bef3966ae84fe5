"""Which listeners routes are attached to, and what they are told where there are none (Gateway API, conformance)."""

import pytest

from tests.dialects.documents import checked, codes, document
from tests.dialects.gateway_api.documents import attached, gateway, http_route, mesh_of, parents, service

GOOD = {"Accepted": "Accepted", "ResolvedRefs": "ResolvedRefs"}
RULES = "rules: [{backendRefs: [{name: reviews, port: 80}]}]"


def refused(reason: str) -> list[dict[str, str]]:
    return [{"Accepted": f"-{reason}", "ResolvedRefs": "ResolvedRefs"}]


def test_a_route_attaches_to_every_listener_that_takes_it() -> None:
    edge = gateway("{name: a, port: 80, protocol: HTTP}", "{name: b, port: 81, protocol: HTTP}")
    mesh = mesh_of(edge, http_route(f"parentRefs: [{{name: edge}}]\n{RULES}"))
    assert parents(mesh) == [GOOD]
    assert attached(mesh) == {"a": 1, "b": 1}
    (table,) = mesh.route_tables
    assert (table.hosts, table.gateways) == (("*",), ("shop/edge/a", "shop/edge/b"))
    assert not mesh.findings


@pytest.mark.parametrize(
    ("parent", "reason"),
    [
        ("{name: other}", "NoMatchingParent"),
        ("{name: edge, sectionName: other}", "NoMatchingParent"),
        ("{name: edge, port: 81}", "NoMatchingParent"),
        ("{name: edge, sectionName: http, port: 81}", "NoMatchingParent"),
        ("{name: gone, group: '', kind: Service}", "NoMatchingParent"),
        ("{name: reviews, group: '', kind: Service, port: 81}", "NoMatchingParent"),
    ],
)
def test_a_parent_that_is_not_there_is_named(parent: str, reason: str) -> None:
    mesh = mesh_of(gateway(), http_route(f"parentRefs: [{parent}]\n{RULES}"))
    assert parents(mesh) == refused(reason)
    assert [one.code for one in mesh.findings] == ["W0271"]
    assert not mesh.route_tables


def test_sections_and_ports_choose_listeners() -> None:
    edge = gateway("{name: a, port: 80, protocol: HTTP}", "{name: b, port: 81, protocol: HTTP}")
    by_name = http_route(f"parentRefs: [{{name: edge, sectionName: b}}]\n{RULES}", "named")
    by_port = http_route(f"parentRefs: [{{name: edge, port: 81}}]\n{RULES}", "numbered")
    assert attached(mesh_of(edge, by_name, by_port)) == {"a": 0, "b": 2}


ABROAD = "parentRefs: [{name: edge, namespace: shop}]\nrules: [{backendRefs: [{name: far, port: 80}]}]"


@pytest.mark.parametrize(
    ("allowed", "taken"),
    [
        ("{}", False),
        ("{namespaces: {from: Same}}", False),
        ("{namespaces: {from: All}}", True),
        ("{namespaces: {from: Selector, selector: {matchLabels: {team: red}}}}", True),
        ("{namespaces: {from: Selector, selector: {matchLabels: {team: blue}}}}", False),
        ("{namespaces: {from: Selector, selector: {matchExpressions: [{key: team, operator: Exists}]}}}", True),
        ("{namespaces: {from: Selector, selector: {matchLabels: {kubernetes.io/metadata.name: far}}}}", True),
        ("{namespaces: {from: All}, kinds: [{kind: GRPCRoute}]}", False),
    ],
)
def test_listeners_say_whose_routes_of_which_kinds_they_take(allowed: str, taken: bool) -> None:
    edge = gateway(f"{{name: http, port: 80, protocol: HTTP, allowedRoutes: {allowed}}}")
    far = document("Namespace", "", "far", namespace="", labels={"team": "red"})
    mesh = mesh_of(edge, far, service("far", "far"), http_route(ABROAD, namespace="far"))
    assert parents(mesh, namespace="far") == ([GOOD] if taken else refused("NotAllowedByListeners"))
    assert attached(mesh) == {"http": int(taken)}


@pytest.mark.parametrize(
    ("hosts", "taken"),
    [
        ("[]", True),
        ("[very.specific.com]", True),
        ("['*.specific.com']", True),
        ("[other.com, '*.nonmatching.io']", False),
        ("[foo.wildcard.io, foo.bar.wildcard.io]", True),
        ("[wildcard.io]", False),
    ],
)
def test_a_route_and_a_listener_need_a_common_host(hosts: str, taken: bool) -> None:
    edge = gateway(
        "{name: a, port: 80, protocol: HTTP, hostname: very.specific.com}",
        "{name: b, port: 80, protocol: HTTP, hostname: '*.wildcard.io'}",
    )
    mesh = mesh_of(edge, http_route(f"parentRefs: [{{name: edge}}]\nhostnames: {hosts}\n{RULES}"))
    assert parents(mesh) == ([GOOD] if taken else refused("NoMatchingListenerHostname"))


def test_of_an_http_route_and_a_grpc_route_of_one_host_the_older_stays() -> None:
    spec = f"parentRefs: [{{name: edge}}]\nhostnames: [a.example.com]\n{RULES}"
    older = document("GRPCRoute", spec, "calls", created="2026-01-01T00:00:00Z")
    younger = http_route(spec, created="2026-01-02T00:00:00Z")
    mesh = mesh_of(gateway(), older, younger)
    assert parents(mesh, "calls", "GRPCRoute") == [GOOD]
    assert parents(mesh) == refused("NotAllowedByListeners")


def test_gateways_of_other_controllers_are_left_to_them() -> None:
    other = document("GatewayClass", "controllerName: example.com/other", "theirs", namespace="")
    edge = document(
        "Gateway.gateway.networking.k8s.io",
        "gatewayClassName: theirs\nlisteners: [{name: http, port: 80, protocol: HTTP}]",
        "edge",
    )
    mesh = mesh_of(other, edge, http_route(f"parentRefs: [{{name: edge}}]\n{RULES}"))
    assert [one.parents for one in mesh.standings] == [()]
    assert (mesh.gateways, mesh.route_tables) == ((), ())


def test_a_service_whose_ports_speak_no_http_takes_no_http_routes() -> None:
    spec = "selector: {app: bytes}\nports: [{name: bytes, port: 80}, {name: http-web, port: 81}]"
    mine = document("Service", spec, "bytes")
    parent = "parentRefs: [{group: '', kind: Service, name: bytes, port: %d}]\n"
    for port, expected in ((80, refused("UnsupportedValue")), (81, [GOOD])):
        assert parents(mesh_of(mine, http_route(f"{parent % port}{RULES}"))) == expected


def test_host_names_of_a_services_route_are_told_to_mean_nothing() -> None:
    spec = "parentRefs: [{group: '', kind: Service, name: reviews}]\nhostnames: [a.example.com]\n"
    assert codes(checked("HTTPRoute", f"{spec}{RULES}")) == [("W0128", "spec.hostnames")]
    assert codes(checked("HTTPRoute", f"parentRefs: [{{name: edge}}]\nhostnames: [a.example.com]\n{RULES}")) == []


def test_a_route_that_asks_for_default_gateways_attaches_to_those_that_are_such() -> None:
    default, other = gateway(more="defaultScope: All"), gateway(name="other")
    mesh = mesh_of(default, other, http_route(f"useDefaultGateways: All\n{RULES}"))
    assert parents(mesh) == [GOOD]
    assert [table.gateways for table in mesh.route_tables] == [("shop/edge/http",)]


def test_a_default_gateway_that_is_named_is_a_parent_once() -> None:
    route = http_route(f"useDefaultGateways: All\nparentRefs: [{{name: edge}}]\n{RULES}")
    mesh = mesh_of(gateway(more="defaultScope: All"), route)
    assert parents(mesh) == [GOOD]


def test_without_default_gateways_a_route_that_asks_for_them_is_nowhere() -> None:
    mesh = mesh_of(gateway(), http_route(f"useDefaultGateways: All\n{RULES}"))
    assert not mesh.route_tables
