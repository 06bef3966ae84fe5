"""Issuers and certificates: what is refused, what they mean, and how they are linked."""

import json

import pytest

from tests.dialects.documents import checked, codes, document, errors, fragment, linked
from weft.kit.yaml import parse_yaml
from weft.model.document import Document, Key
from weft.model.issuing import IssuerReference

ACME = "acme: {server: https://acme.example.com/dir, privateKeySecretRef: {name: account}%s}"
VAULT = "vault: {server: 'https://vault.example:8200', path: %s, auth: {%s}}"
CERTIFICATE = "{secretName: edge, dnsNames: [a.example.com, B.example.com], issuerRef: {name: i%s}%s}"


def test_an_issuer_is_its_server_and_its_account() -> None:
    (issuer,) = fragment("Issuer", ACME % ", email: a@b.c", "i").issuers
    assert (issuer.server, issuer.email) == ("https://acme.example.com/dir", "a@b.c")
    assert issuer.account == Key(kind="Secret", namespace="shop", name="account")
    (shared,) = fragment("ClusterIssuer", ACME % "", "i", namespace="").issuers
    assert shared.account.namespace == "weft-system"


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ("{}", [("W0105", "spec")]),
        ("ca: {secretName: a}", []),
        ("ca: {secretName: 'a b'}", [("W0125", "spec.ca.secretName")]),
        ("ca: {secretName: a, ocspServers: ['http://a']}", [("W0110", "spec.ca.ocspServers")]),
        ("selfSigned: {}", []),
        ("{selfSigned: {}, ca: {secretName: a}}", [("W0106", "spec.selfSigned")]),
        (VAULT % ("pki/sign/a", "tokenSecretRef: {name: t}"), []),
        (VAULT % ("pki/issue/a", "tokenSecretRef: {name: t}"), [("W0102", "spec.vault.path")]),
        (VAULT % ("pki/sign/a", ""), [("W0106", "spec.vault.auth")]),
        (VAULT % ("pki/sign/a", "kubernetes: {role: a}"), [("W0110", "spec.vault.auth.kubernetes")]),
        (
            VAULT.replace("https", "http") % ("pki/sign/a", "tokenSecretRef: {name: t}"),
            [("W0102", "spec.vault.server")],
        ),
        ("venafi: {zone: a}", [("W0110", "spec.venafi")]),
        (ACME.replace("https:", "ftp:") % "", [("W0102", "spec.acme.server")]),
        (ACME % ", solvers: [{dns01: {route53: {}}}]", [("W0110", "spec.acme.solvers.0.dns01")]),
        (ACME % ", solvers: [{http01: {ingress: {class: nginx}}}]", [("W0128", "spec.acme.solvers.0.http01.ingress")]),
        (ACME % ", solvers: [{http01: {}}]", []),
        (ACME % ", disableAccountKeyGeneration: true", [("W0110", "spec.acme.disableAccountKeyGeneration")]),
    ],
)
def test_what_is_wrong_with_an_issuer_is_said(spec: str, wanted: list[tuple[str, str]]) -> None:
    assert codes(checked("Issuer", spec)) == wanted


@pytest.mark.parametrize(
    ("kind", "more", "wanted"),
    [
        ("", "", []),
        (", kind: ClusterIssuer", "", []),
        (", kind: AWSPCAIssuer", "", [("W0110", "spec.issuerRef.kind")]),
        ("", ", privateKey: {algorithm: Ed25519}", [("W0110", "spec.privateKey.algorithm")]),
        ("", ", privateKey: {algorithm: RSA, size: 256}", [("W0111", "spec.privateKey.size")]),
        ("", ", renewBefore: 1h, renewBeforePercentage: 20", [("W0106", "spec.renewBeforePercentage")]),
        ("", ", renewBefore: 0s", [("W0108", "spec.renewBefore")]),
        ("", ", duration: 2160h", []),
        ("", ", duration: 59m", [("W0108", "spec.duration")]),
        ("", ", isCA: true", []),
        ("", ", commonName: '*.example.com'", [("W0110", "spec.commonName")]),
    ],
)
def test_what_is_wrong_with_a_certificate_is_said(kind: str, more: str, wanted: list[tuple[str, str]]) -> None:
    assert codes(checked("Certificate", CERTIFICATE % (kind, more))) == wanted


def test_a_certificate_without_names_and_one_for_a_wildcard_are_refused() -> None:
    assert codes(tuple(errors(checked("Certificate", "{secretName: a, issuerRef: {name: i}}")))) == [("W0105", "spec")]
    (finding,) = checked("Certificate", "{secretName: a, issuerRef: {name: i}, dnsNames: ['*.example.com']}")
    assert (finding.code, finding.path) == ("W0110", ("spec", "dnsNames", 0))


def test_a_certificate_goes_to_its_issuer() -> None:
    mesh = linked(document("Certificate", CERTIFICATE % ("", "")), document("Issuer", ACME % "", "i"))
    (issuance,) = mesh.issuances
    assert issuance.order.names == ("a.example.com", "b.example.com")
    assert issuance.order.secret == Key(kind="Secret", namespace="shop", name="edge")
    assert issuance.issuer.server == "https://acme.example.com/dir"
    assert mesh.findings == ()


def test_an_acme_authority_decides_on_the_duration_and_makes_no_authorities() -> None:
    for more, obtained, where in ((", duration: 24h", 1, "spec.duration"), (", isCA: true", 0, "spec.isCA")):
        certificate = document("Certificate", CERTIFICATE % ("", more))
        mesh = linked(certificate, document("Issuer", ACME % "", "i"))
        assert len(mesh.issuances) == obtained
        assert codes(mesh.findings) == [("W0128", where)]
        for local in ("selfSigned: {}", "ca: {secretName: root}"):
            mesh = linked(certificate, document("Issuer", local, "i"))
            assert len(mesh.issuances) == 1
            assert mesh.findings == ()


def test_an_issuer_that_signs_here_is_its_key_pair() -> None:
    (own,) = fragment("Issuer", "ca: {secretName: root}", "i").issuers
    assert own.pair == Key(kind="Secret", namespace="shop", name="root")
    (shared,) = fragment("ClusterIssuer", "ca: {secretName: root}", "i", namespace="").issuers
    assert shared.pair == Key(kind="Secret", namespace="weft-system", name="root")
    (alone,) = fragment("Issuer", "selfSigned: {}", "i").issuers
    assert alone.pair is None


def test_an_issuer_of_vault_is_a_role_and_a_login() -> None:
    (token,) = fragment("Issuer", VAULT % ("team/pki/sign/edge", "tokenSecretRef: {name: t, key: k}"), "i").issuers
    assert (token.mount, token.role, token.secret.name, token.secret_field) == ("team/pki", "edge", "t", "k")
    role = "appRole: {path: approle, roleId: r, secretRef: {name: s, key: id}}"
    (login,) = fragment("ClusterIssuer", VAULT % ("pki/sign/edge", role), "i", namespace="").issuers
    assert (login.app_role, login.secret.namespace, login.secret_field) == (("approle", "r"), "weft-system", "id")


def test_an_issuer_of_another_namespace_is_not_there() -> None:
    mesh = linked(
        document("Certificate", CERTIFICATE % ("", "")), document("Issuer", ACME % "", "i", namespace="other")
    )
    assert mesh.issuances == ()
    assert codes(mesh.findings) == [("W0285", "spec.issuerRef.name")]


def test_two_certificates_in_one_secret_are_told() -> None:
    other = CERTIFICATE.replace("a.example.com", "c.example.com") % ("", "")
    documents = (document("Certificate", CERTIFICATE % ("", ""), "one"), document("Certificate", other, "two"))
    mesh = linked(*documents, document("Issuer", ACME % "", "i"))
    assert [one.order.document.name for one in mesh.issuances] == ["one"]
    assert codes(mesh.findings) == [("W0286", "spec")]


def test_an_annotated_gateway_asks_for_the_hosts_of_its_servers() -> None:
    server = "{port: {number: %d, name: p%d, protocol: HTTPS}, hosts: [%s], tls: {mode: SIMPLE, credentialName: %s}}"
    spec = f"servers: [{server % (443, 443, 'a.com, b.com', 'x')}, {server % (8443, 8443, 'c.com', 'x')}]"
    gateway = document("Gateway", spec, "edge", annotations={"cert-manager.io/cluster-issuer": "i"})
    mesh = linked(gateway, document("ClusterIssuer", ACME % "", "i", namespace=""))
    (issuance,) = mesh.issuances
    assert issuance.order.names == ("a.com", "b.com", "c.com")
    assert issuance.order.reference == IssuerReference(kind="ClusterIssuer", name="i")
    plain = linked(document("Gateway", spec, "edge"), document("ClusterIssuer", ACME % "", "i", namespace=""))
    assert plain.issuances == ()


def test_a_failure_in_the_status_is_told_in_the_words_of_the_authority() -> None:
    failed = {"conditions": [{"type": "Issuing", "status": "False", "reason": "Failed", "message": "the CA is away"}]}
    certificate = document("Certificate", CERTIFICATE % ("", ""), status=failed)
    mesh = linked(certificate, document("Issuer", ACME % "", "i"))
    (finding,) = mesh.findings
    assert finding.code == "W0287"
    assert "the CA is away" in finding.message


@pytest.mark.parametrize("more", ["token: '../x', key: a.b", "token: a, key: 'a b'", "token: '', key: a"])
def test_a_challenge_answers_with_nothing_but_words_of_acme(more: str) -> None:
    found = checked("Challenge", f"{{type: HTTP-01, dnsName: a.example.com, {more}}}")
    assert errors(found)


def test_an_annotated_gateway_of_gateway_api_asks_before_its_certificate_is_there() -> None:
    listener = "{name: %s, port: %d, protocol: HTTPS, hostname: %s, tls: {certificateRefs: [{name: %s%s}]}}"
    listeners = ", ".join(
        (
            listener % ("a", 443, "a.com", "x", ""),
            listener % ("b", 8443, "b.com", "x", ""),
            listener % ("c", 9443, "c.com", "y", ", namespace: other"),
            listener % ("d", 7443, "'*.d.com'", "z", ""),
        )
    )
    content = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "edge", "namespace": "shop", "annotations": {"cert-manager.io/issuer": "i"}},
        "spec": parse_yaml(f"{{gatewayClassName: weft, listeners: [{listeners}]}}", "test.yaml")[0].content,
    }
    key = Key(group="gateway.networking.k8s.io", kind="Gateway", namespace="shop", name="edge")
    gateway = Document(key=key, content=json.dumps(content).encode())
    mesh = linked(gateway, document("Issuer", ACME % "", "i"))
    (issuance,) = mesh.issuances
    assert issuance.order.names == ("a.com", "b.com")
    assert issuance.order.secret.name == "x"


def test_a_certificate_comes_before_an_annotation() -> None:
    server = (
        "{port: {number: 443, name: p, protocol: HTTPS}, hosts: [a.com], tls: {mode: SIMPLE, credentialName: edge}}"
    )
    annotated = document("Gateway", f"servers: [{server}]", "edge", annotations={"cert-manager.io/issuer": "i"})
    mesh = linked(annotated, document("Certificate", CERTIFICATE % ("", "")), document("Issuer", ACME % "", "i"))
    (issuance,) = mesh.issuances
    assert issuance.order.document.kind == "Certificate"
    assert "W0286" not in {one.code for one in mesh.findings}
