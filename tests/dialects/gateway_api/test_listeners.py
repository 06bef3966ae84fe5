"""Which listeners are served, and what gateways and listener sets are told (Gateway API, conformance)."""

import pytest

from tests.dialects.documents import document
from tests.dialects.gateway_api.documents import (
    GROUP,
    HTTP,
    attached,
    certificate,
    gateway,
    http_route,
    listeners,
    mesh_of,
    service,
    standing,
    told,
)
from weft.dialects.features import FEATURES
from weft.model.document import Document

SERVED = {
    "Accepted": "Accepted",
    "Programmed": "Programmed",
    "ResolvedRefs": "ResolvedRefs",
    "Conflicted": "-NoConflicts",
}
ROUTE = "parentRefs: [{name: edge}]\nrules: [{backendRefs: [{name: reviews, port: 80}]}]"


def listener(name: str, port: int = 80, protocol: str = "HTTP", more: str = "") -> str:
    return f"{{name: {name}, port: {port}, protocol: {protocol}{more}}}"


def test_a_gateway_of_the_built_in_class_needs_no_class() -> None:
    mesh = mesh_of(gateway())
    assert told(standing(mesh, "Gateway", "edge").conditions) == {
        "Accepted": "Accepted",
        "Programmed": "Programmed",
        "ResolvedRefs": "ResolvedRefs",
    }
    assert listeners(mesh) == {"http": SERVED}
    (made,) = mesh.gateways
    assert (made.proxies_of, made.selector) == ("shop", ((f"{GROUP}/gateway-name", "edge"),))


def test_a_class_of_ours_is_accepted_with_what_it_can() -> None:
    ours = document("GatewayClass", "controllerName: weft.dev/gateway-controller", "own", namespace="")
    found = standing(mesh_of(ours), "GatewayClass", "own")
    assert (told(found.conditions), found.features) == ({"Accepted": "Accepted"}, FEATURES)
    assert list(FEATURES) == sorted(FEATURES)


def test_a_class_with_parameters_is_not_accepted() -> None:
    spec = "controllerName: weft.dev/gateway-controller\nparametersRef: {group: a.b, kind: C, name: d}"
    found = standing(mesh_of(document("GatewayClass", spec, "own", namespace="")), "GatewayClass", "own")
    assert told(found.conditions) == {"Accepted": "-InvalidParameters"}


def test_protocols_on_one_port_exclude_each_other_and_neither_is_the_first() -> None:
    tls = ", tls: {certificateRefs: [{name: a}]}"
    mesh = mesh_of(gateway(listener("a"), listener("b", protocol="HTTPS", more=tls), listener("c", 81)))
    said = listeners(mesh)
    for name in "ab":
        assert said[name]["Conflicted"] == "ProtocolConflict"
        assert said[name]["Accepted"] == "-ProtocolConflict"
        assert said[name]["Programmed"] == "-Invalid"
    assert said["c"] == SERVED
    assert told(standing(mesh, "Gateway", "edge").conditions)["Accepted"] == "ListenersNotValid"
    assert [one.port_name for one in mesh.gateways[0].servers] == ["c"]


def test_a_protocol_that_is_not_served_is_named() -> None:
    mesh = mesh_of(gateway(listener("a", protocol="example.com/own")))
    assert listeners(mesh)["a"]["Accepted"] == "-UnsupportedProtocol"
    assert told(standing(mesh, "Gateway", "edge").conditions) == {
        "Accepted": "-ListenersNotValid",
        "Programmed": "-Invalid",
        "ResolvedRefs": "ResolvedRefs",
    }


@pytest.mark.parametrize(
    ("kinds", "supported", "resolved"),
    [
        ("[{kind: HTTPRoute}]", ["HTTPRoute"], "ResolvedRefs"),
        ("[{kind: InvalidRoute}, {kind: HTTPRoute}]", ["HTTPRoute"], "-InvalidRouteKinds"),
        ("[{kind: InvalidRoute}]", [], "-InvalidRouteKinds"),
        ("[{group: example.com, kind: HTTPRoute}]", [], "-InvalidRouteKinds"),
    ],
)
def test_kinds_of_routes_that_do_not_fit_are_named(kinds: str, supported: list[str], resolved: str) -> None:
    mesh = mesh_of(gateway(listener("a", more=f", allowedRoutes: {{kinds: {kinds}}}")))
    (found,) = standing(mesh, "Gateway", "edge").listeners or ()
    assert [kind for _, kind in found.kinds] == supported
    assert told(found.conditions)["ResolvedRefs"] == resolved


@pytest.mark.parametrize(
    ("refs", "reason"),
    [
        ("[{name: gone}]", "InvalidCertificateRef"),
        ("[{kind: ConfigMap, name: a}]", "InvalidCertificateRef"),
        ("[{group: example.com, name: a}]", "InvalidCertificateRef"),
        ("[{name: a, namespace: far}]", "RefNotPermitted"),
    ],
)
def test_a_certificate_that_cannot_be_used_closes_its_listener_alone(refs: str, reason: str) -> None:
    secure = listener("tls", 443, "HTTPS", f", tls: {{certificateRefs: {refs}}}")
    mesh = mesh_of(gateway(HTTP, secure), http_route(ROUTE))
    said = listeners(mesh)["tls"]
    assert (said["ResolvedRefs"], said["Programmed"], said["Accepted"]) == (f"-{reason}", "-Invalid", "Accepted")
    assert attached(mesh) == {"http": 1, "tls": 1}
    assert [one.port_name for one in mesh.gateways[0].servers] == ["http"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("addresses: [{type: Hostname, value: a.example.com}]", "UnsupportedAddress"),
        ("addresses: [{type: example.com/own, value: a}]", "UnsupportedAddress"),
        ("infrastructure: {parametersRef: {group: a.b, kind: C, name: d}}", "InvalidParameters"),
    ],
)
def test_what_proxies_cannot_have_refuses_the_gateway(more: str, reason: str) -> None:
    mesh = mesh_of(gateway(more=more))
    said = told(standing(mesh, "Gateway", "edge").conditions)
    assert (said["Accepted"], said["Programmed"]) == (f"-{reason}", "-Invalid")
    assert mesh.gateways == ()


def test_static_addresses_are_bound() -> None:
    mesh = mesh_of(gateway(more="addresses: [{value: 127.0.0.2}, {type: IPAddress, value: '::1'}, {type: IPAddress}]"))
    assert [one.bind for one in mesh.gateways[0].servers] == ["127.0.0.2", "::1"]
    assert standing(mesh, "Gateway", "edge").addresses == (("IPAddress", "127.0.0.2"), ("IPAddress", "::1"))


def listener_set(
    name: str, *listed: str, namespace: str = "far", created: str = "", kind: str = "ListenerSet"
) -> Document:
    spec = f"parentRef: {{name: edge, namespace: shop}}\nlisteners: [{', '.join(listed)}]"
    return document(kind, spec, name, namespace=namespace, created=created)


ALL = "allowedListeners: {namespaces: {from: All}}"


def test_listener_sets_are_taken_where_the_gateway_says_so() -> None:
    more = listener_set("more", listener("b", 81))
    refused = mesh_of(gateway(), more)
    assert told(standing(refused, "ListenerSet", "more", "far").conditions) == {
        "Accepted": "-NotAllowed",
        "Programmed": "-Invalid",
    }
    taken = mesh_of(gateway(more=ALL), more)
    assert listeners(taken, "more", "ListenerSet", "far") == {"b": SERVED}
    assert standing(taken, "Gateway", "edge").listener_sets == 1
    assert [one.port_name for one in taken.gateways[0].servers] == ["http", "far/more/b"]


def test_of_listeners_that_exclude_each_other_the_gateways_and_the_older_sets_stay() -> None:
    older = listener_set("older", listener("b", 81), created="2026-01-01T00:00:00Z")
    younger = listener_set("younger", listener("b", 81), listener("a", 80), created="2026-01-02T00:00:00Z")
    mesh = mesh_of(gateway(more=ALL), younger, older)
    assert listeners(mesh)["http"] == SERVED
    assert listeners(mesh, "older", "ListenerSet", "far")["b"] == SERVED
    said = listeners(mesh, "younger", "ListenerSet", "far")
    assert [said[name]["Conflicted"] for name in "ba"] == ["HostnameConflict", "HostnameConflict"]
    assert told(standing(mesh, "ListenerSet", "younger", "far").conditions)["Accepted"] == "-ListenersNotValid"


def test_routes_attach_to_sets_by_name_and_are_not_the_gateways() -> None:
    route = "parentRefs: [{kind: ListenerSet, name: more}]\nrules: [{backendRefs: [{name: far, port: 80}]}]"
    mesh = mesh_of(
        gateway(more=ALL),
        listener_set("more", listener("b", 81)),
        http_route(route, namespace="far"),
        service("far", "far"),
    )
    assert attached(mesh) == {"http": 0}
    assert attached(mesh, "more", "ListenerSet", "far") == {"b": 1}
    assert mesh.route_tables[0].gateways == ("shop/edge/far/more/b",)


def test_the_experimental_name_of_a_set_means_the_same() -> None:
    mesh = mesh_of(gateway(more=ALL), listener_set("more", listener("b", 81), kind="XListenerSet"))
    assert listeners(mesh, "more", "XListenerSet", "far") == {"b": SERVED}


def test_clients_whose_authorities_are_missing_close_https_alone() -> None:
    frontend = "tls: {frontend: {default: {validation: {caCertificateRefs: [%s]}}}}"
    secure = listener("tls", 443, "HTTPS", ", tls: {certificateRefs: [{name: a}]}")
    cases = {
        "{group: '', kind: ConfigMap, name: gone}": "-InvalidCACertificateRef",
        "{group: '', kind: Service, name: a}": "-InvalidCACertificateKind",
        "{group: '', kind: ConfigMap, name: a, namespace: far}": "-RefNotPermitted",
    }
    for ref, reason in cases.items():
        said = listeners(mesh_of(gateway(HTTP, secure, more=frontend % ref), certificate("a")))
        assert said["http"] == SERVED
        assert (said["tls"]["ResolvedRefs"], said["tls"]["Accepted"]) == (reason, "-NoValidCACertificate")
        assert said["tls"]["Programmed"] == "-Invalid"


def test_a_certificate_that_is_there_opens_its_listener() -> None:
    secure = listener("tls", 443, "HTTPS", ", tls: {certificateRefs: [{name: gone}, {name: a}]}")
    mesh = mesh_of(gateway(secure), certificate("a"))
    assert listeners(mesh)["tls"] == SERVED | {"ResolvedRefs": "-InvalidCertificateRef"}
    (server,) = mesh.gateways[0].servers
    assert server.tls is not None
    assert [one.name for one in server.tls.credentials] == ["a"]


def test_a_gateways_own_certificate_that_is_missing_is_said_of_the_gateway() -> None:
    mesh = mesh_of(gateway(more="tls: {backend: {clientCertificateRef: {name: gone}}}"))
    said = told(standing(mesh, "Gateway", "edge").conditions)
    assert said == {"Accepted": "Accepted", "Programmed": "Programmed", "ResolvedRefs": "-InvalidClientCertificateRef"}
    assert mesh.gateways[0].certificate is None


def test_a_gateway_that_lets_anybody_in_says_so() -> None:
    more = (
        "tls: {frontend: {default: {validation: {mode: AllowInsecureFallback, "
        "caCertificateRefs: [{group: '', kind: ConfigMap, name: a}]}}}}"
    )
    said = told(standing(mesh_of(gateway(more=more)), "Gateway", "edge").conditions)
    assert said["InsecureFrontendValidationMode"] == "ConfigurationChanged"
