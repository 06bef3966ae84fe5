"""TLSRoute, TCPRoute and UDPRoute: which listeners they attach to, and what they mean."""

import pytest

from tests.dialects.documents import checked, codes, document
from tests.dialects.gateway_api.documents import attached, gateway, listeners, mesh_of, parents
from weft.model.document import Document
from weft.model.mesh import Mesh
from weft.model.route import ConnectionRule, RouteTable

GOOD = {"Accepted": "Accepted", "ResolvedRefs": "ResolvedRefs"}
PASS = "{name: pass, port: 443, protocol: TLS, tls: {mode: Passthrough}}"
TCP = "{name: tcp, port: 9000, protocol: TCP}"
UDP = "{name: udp, port: 9000, protocol: UDP}"
RULES = "rules: [{backendRefs: [{name: reviews, port: 80}]}]"
DNS = document("Service", "selector: {app: dns}\nports: [{name: dns, port: 53, protocol: UDP}]", "dns")


def route(kind: str, spec: str, name: str = "shop", **options: str) -> Document:
    return document(f"{kind}Route", f"{spec}\n{RULES if 'rules' not in spec else ''}", name, **options)


def table(mesh: Mesh) -> RouteTable:
    (only,) = mesh.route_tables
    return only


def hosts_of(rules: tuple[ConnectionRule, ...]) -> list[tuple[str, int]]:
    return [(one.destination.host.partition(".")[0], one.weight) for rule in rules for one in rule.backends]


def test_a_tls_route_takes_the_names_that_it_asks_for() -> None:
    mesh = mesh_of(gateway(PASS), route("TLS", "parentRefs: [{name: edge}]\nhostnames: [a.example.com]"))
    assert parents(mesh, kind="TLSRoute") == [GOOD]
    assert table(mesh).gateways == ("shop/edge/pass",)
    assert [one.server_names for rule in table(mesh).tls for one in rule.matches] == [("a.example.com",)]
    assert hosts_of(table(mesh).tls) == [("reviews", 100)]


def test_without_names_it_takes_those_of_the_listener() -> None:
    mesh = mesh_of(gateway(PASS), route("TLS", "parentRefs: [{name: edge}]"))
    assert [one.server_names for rule in table(mesh).tls for one in rule.matches] == [("*",)]


def test_tcp_and_udp_have_ports_of_their_own() -> None:
    udp = route("UDP", "parentRefs: [{name: edge}]\nrules: [{backendRefs: [{name: dns, port: 53}]}]", "packets")
    mesh = mesh_of(gateway(TCP, UDP), DNS, route("TCP", "parentRefs: [{name: edge}]"), udp)
    assert attached(mesh) == {"tcp": 1, "udp": 1}
    assert [one["Programmed"] for one in listeners(mesh).values()] == ["Programmed", "Programmed"]
    assert {(one.gateways, bool(one.tcp), bool(one.udp)) for one in mesh.route_tables} == {
        (("shop/edge/tcp",), True, False),
        (("shop/edge/udp",), False, True),
    }


@pytest.mark.parametrize(("listener", "kind"), [(PASS, "TCP"), (TCP, "TLS"), (TCP, "UDP"), (UDP, "TCP"), (TCP, "HTTP")])
def test_listeners_take_the_kinds_that_fit_them(listener: str, kind: str) -> None:
    mesh = mesh_of(gateway(listener), route(kind, "parentRefs: [{name: edge}]"))
    assert parents(mesh, kind=f"{kind}Route")[0]["Accepted"] == "-NotAllowedByListeners"


def test_bytes_and_requests_do_not_share_a_port() -> None:
    mesh = mesh_of(gateway(TCP, "{name: http, port: 9000, protocol: HTTP}"))
    assert [one["Conflicted"] for one in listeners(mesh).values()] == ["ProtocolConflict", "ProtocolConflict"]


def test_a_backend_of_another_protocol_is_not_called() -> None:
    rules = "rules: [{backendRefs: [{name: dns, port: 53}]}]"
    mesh = mesh_of(gateway(TCP), DNS, route("TCP", f"parentRefs: [{{name: edge}}]\n{rules}"))
    assert parents(mesh, kind="TCPRoute")[0]["ResolvedRefs"] == "-UnsupportedProtocol"
    assert [one.broken for rule in table(mesh).tcp for one in rule.backends] == [True]


def test_callers_of_a_service_follow_its_routes() -> None:
    parent = "parentRefs: [{name: reviews, kind: Service, group: '', port: 80}]"
    rules = "rules: [{backendRefs: [{name: reviews, port: 80, weight: 3}, {name: ratings, port: 80}]}]"
    mesh = mesh_of(route("TCP", f"{parent}\n{rules}"))
    (rule,) = table(mesh).tcp
    assert [one.port for one in rule.matches] == [80]
    assert hosts_of((rule,)) == [("reviews", 3), ("ratings", 1)]
    assert (table(mesh).hosts, table(mesh).gateways) == (("reviews.shop.svc.cluster.local",), ("mesh",))


@pytest.mark.parametrize(
    ("kind", "spec", "found"),
    [
        ("TLS", "rules: []", [("W0105", "spec.rules")]),
        ("TCP", "rules: [{backendRefs: []}]", [("W0105", "spec.rules.0")]),
        ("TCP", "rules: [{backendRefs: [{name: a}]}]", [("W0105", "spec.rules.0.backendRefs.0")]),
        ("TLS", "hostnames: [10.0.0.1]\nrules: [{backendRefs: [{name: a, port: 1}]}]", [("W0107", "spec.hostnames.0")]),
        ("UDP", "rules: [{backendRefs: [{name: a, port: 1}, {name: b, port: 1}]}]", []),
        (
            "TCP",
            "rules: [{backendRefs: [{name: a, port: 1}]}, {backendRefs: [{name: b, port: 1}]}]",
            [("W0118", "spec.rules.1")],
        ),
    ],
)
def test_what_cannot_be_is_refused(kind: str, spec: str, found: list[tuple[str, str]]) -> None:
    assert codes(checked(f"{kind}Route", spec)) == found
