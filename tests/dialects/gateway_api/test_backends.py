"""Backends that are there, may be called and want TLS; routes of Services (Gateway API, conformance)."""

import pytest

from tests.dialects.documents import checked, codes, document
from tests.dialects.gateway_api.documents import GROUP, gateway, http_route, mesh_of, parents, service, standing, told
from weft.model.document import Document
from weft.model.route import DirectResponse, Forward, HttpRule
from weft.model.traffic import ClientTls

EDGE = "parentRefs: [{name: edge}]\n"


def rule_of(ref: str, *documents: Document) -> tuple[HttpRule, dict[str, str]]:
    mesh = mesh_of(gateway(), http_route(f"{EDGE}rules: [{{backendRefs: [{ref}]}}]"), service("far", "far"), *documents)
    return mesh.route_tables[0].http[0], parents(mesh)[0]


@pytest.mark.parametrize(
    ("ref", "reason"),
    [
        ("{name: gone, port: 80}", "BackendNotFound"),
        ("{name: reviews, port: 81}", "BackendNotFound"),
        ("{kind: Bucket, group: example.com, name: reviews}", "InvalidKind"),
        ("{name: far, namespace: far, port: 80}", "RefNotPermitted"),
    ],
)
def test_a_backend_that_cannot_be_called_is_named_and_answers_500(ref: str, reason: str) -> None:
    rule, said = rule_of(ref)
    assert said == {"Accepted": "Accepted", "ResolvedRefs": f"-{reason}"}
    assert rule.action == DirectResponse(status=500)


def grant(
    kind: str = "HTTPRoute", namespace: str = "shop", to: str = "Service", name: str = "", here: str = "far"
) -> Document:
    named = f", name: {name}" if name else ""
    spec = f"from: [{{group: {GROUP}, kind: {kind}, namespace: {namespace}}}]\nto: [{{group: '', kind: {to}{named}}}]"
    return document("ReferenceGrant", spec, "grant", namespace=here)


@pytest.mark.parametrize(
    ("granted", "allowed"),
    [
        (grant(), True),
        (grant(name="far"), True),
        (grant(name="other"), False),
        (grant(namespace="other"), False),
        (grant(kind="GRPCRoute"), False),
        (grant(to="Secret"), False),
        (grant(here="shop"), False),
    ],
)
def test_grants_open_a_namespace_for_kinds_of_another(granted: Document, allowed: bool) -> None:
    rule, said = rule_of("{name: far, namespace: far, port: 80}", granted)
    assert (said["ResolvedRefs"] == "ResolvedRefs") is allowed
    assert isinstance(rule.action, Forward) is allowed


def test_a_share_that_is_broken_keeps_its_weight() -> None:
    rule, _ = rule_of("{name: reviews, port: 80, weight: 3}, {name: gone, port: 80}")
    assert isinstance(rule.action, Forward)
    assert [(one.weight, one.broken) for one in rule.action.backends] == [(3, False), (1, True)]


POLICY = """
targetRefs: [{group: "", kind: Service, name: reviews%s}]
validation: {hostname: reviews.example.com, wellKnownCACertificates: System%s}
"""


def policy(name: str = "own", section: str = "", names: str = "", created: str = "") -> Document:
    return document(
        "BackendTLSPolicy", POLICY % (section and f", sectionName: {section}", names), name, created=created
    )


def test_a_policy_says_how_a_services_ports_want_to_be_spoken_to() -> None:
    names = ", subjectAltNames: [{type: Hostname, hostname: other.example.com}, {type: URI, uri: 'spiffe://a/b'}]"
    mesh = mesh_of(
        gateway(), http_route(f"{EDGE}rules: [{{backendRefs: [{{name: reviews, port: 80}}]}}]"), policy(names=names)
    )
    (port,) = mesh.services["reviews.shop.svc.cluster.local"].ports
    assert port.tls == ClientTls(
        sni="reviews.example.com", subject_alt_names=("other.example.com", "spiffe://a/b"), trust=None
    )
    (ancestor,) = standing(mesh, "BackendTLSPolicy", "own").ancestors or ()
    assert dict(ancestor.parent)["kind"] == "Gateway"
    assert told(ancestor.conditions) == {"Accepted": "Accepted", "ResolvedRefs": "ResolvedRefs"}


def policies(*documents: Document) -> dict[str, str]:
    mesh = mesh_of(*documents)
    found = {}
    for one in documents:
        (ancestor,) = standing(mesh, "BackendTLSPolicy", one.key.name).ancestors or ()
        found[one.key.name] = told(ancestor.conditions)["Accepted"]
    return found


def test_of_two_policies_the_one_for_a_port_counts_then_the_older() -> None:
    older, younger = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
    assert policies(policy("b", created=older), policy("a", created=younger)) == {"b": "Accepted", "a": "-Conflicted"}
    sections = policies(policy("b", created=older), policy("a", "http", created=younger))
    assert sections == {"b": "-Conflicted", "a": "Accepted"}
    assert policies(policy("a", "gone")) == {"a": "-TargetNotFound"}


def test_authorities_that_are_missing_make_calls_fail_and_are_named() -> None:
    spec = POLICY.replace("wellKnownCACertificates: System", "caCertificateRefs: [{group: '', kind: %s, name: gone}]")
    for kind, reason in (("ConfigMap", "InvalidCACertificateRef"), ("Service", "InvalidKind")):
        one = document("BackendTLSPolicy", spec % ("", kind, ""), "own")
        mesh = mesh_of(one)
        (ancestor,) = standing(mesh, "BackendTLSPolicy", "own").ancestors or ()
        assert told(ancestor.conditions) == {"Accepted": "-NoValidCACertificate", "ResolvedRefs": f"-{reason}"}
        tls = mesh.services["reviews.shop.svc.cluster.local"].ports[0].tls
        assert tls is not None
        assert tls.trust is not None


MESH = "parentRefs: [{group: '', kind: Service, name: reviews}]\n"


def test_routes_of_a_service_are_one_table_in_the_order_of_their_matches() -> None:
    first = f"{MESH}rules: [{{matches: [{{path: {{value: /a}}}}], backendRefs: [{{name: reviews, port: 80}}]}}]"
    second = f"{MESH}rules: [{{matches: [{{path: {{value: /a/b}}}}], backendRefs: [{{name: ratings, port: 80}}]}}]"
    mesh = mesh_of(http_route(first, "first"), http_route(second, "second"))
    (table,) = mesh.route_tables
    assert (table.hosts, table.gateways) == (("reviews.shop.svc.cluster.local",), ("mesh",))
    assert [rule.origin.key.name for rule in table.http if rule.origin] == ["second", "first"]


def test_a_virtual_service_for_the_host_of_a_route_is_told_that_the_older_one_counts() -> None:
    rules = "hosts: [reviews]\nhttp: [{route: [{destination: {host: ratings}}]}]"
    theirs = document("VirtualService", rules, "rules", created="2026-01-02T00:00:00Z")
    ours = http_route(f"{MESH}rules: [{{backendRefs: [{{name: reviews, port: 80}}]}}]", created="2026-01-01T00:00:00Z")
    mesh = mesh_of(theirs, ours)
    assert [(one.code, one.document.kind) for one in mesh.findings if one.document] == [("W0203", "VirtualService")]


def asked(auth: str) -> list[tuple[str, str]]:
    filters = f"filters: [{{type: ExternalAuth, externalAuth: {auth}}}]"
    return codes(checked("HTTPRoute", f"{EDGE}rules: [{{{filters}, backendRefs: [{{name: a, port: 1}}]}}]"))


@pytest.mark.parametrize(
    ("auth", "found"),
    [
        ("{protocol: HTTP, backendRef: {name: a, port: 1}}", []),
        ("{protocol: GRPC, backendRef: {name: a, port: 1}, grpc: {allowedHeaders: [x-a]}}", []),
        ("{protocol: GRPC, backendRef: {name: a, port: 1}, http: {}}", [("W0106", "http")]),
        ("{protocol: HTTP, backendRef: {name: a, port: 1}, http: {path: check}}", [("W0122", "http.path")]),
        (
            "{protocol: HTTP, backendRef: {name: a, port: 1}, http: {allowedHeaders: ['a b']}}",
            [("W0112", "http.allowedHeaders.0")],
        ),
        ("{protocol: HTTP, backendRef: {name: a}}", [("W0105", "backendRef")]),
    ],
)
def test_an_authorizer_is_checked(auth: str, found: list[tuple[str, str]]) -> None:
    place = "spec.rules.0.filters.0.externalAuth."
    assert asked(auth) == [(code, place + path) for code, path in found]


def test_an_authorizer_that_is_not_there_or_not_granted_leaves_nothing_through() -> None:
    rules = "rules: [{filters: [{type: ExternalAuth, externalAuth: %s}], backendRefs: [{name: reviews, port: 80}]}]"
    for backend in ("{name: gone, port: 1}", "{name: reviews, port: 80, namespace: other}"):
        route = http_route(EDGE + rules % f"{{protocol: HTTP, backendRef: {backend}}}")
        (rule,) = mesh_of(gateway(), route).route_tables[0].http
        assert (rule.action, rule.check) == (DirectResponse(status=500), None)
