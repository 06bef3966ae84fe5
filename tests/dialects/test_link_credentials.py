"""What is said of certificates that documents name."""

import pytest

from tests.agent.test_credentials_live import pair, secret
from tests.dialects.documents import document, linked
from tests.xds.certificates import Root
from weft.dialects.link_credentials import ending, next_change
from weft.model.document import Document
from weft.model.finding import Finding, Severity
from weft.model.mesh import Mesh

ROOT = Root()


def gateway(tls: str, host: str = "a.example.com", namespace: str = "shop") -> Document:
    server = f"{{port: {{number: 443, name: https, protocol: HTTPS}}, hosts: [{host}], tls: {{{tls}}}}}"
    return document("Gateway", f"servers: [{server}]", "edge", namespace=namespace)


def about(mesh: Mesh, kind: str = "Gateway") -> list[Finding]:
    return [one for one in mesh.findings if one.document is not None and one.document.kind == kind]


@pytest.mark.parametrize("name", ["credentialName: c", "credentialNames: [c]"])
def test_a_gateway_without_its_certificate_is_told(name: str) -> None:
    (finding,) = about(linked(gateway(f"mode: SIMPLE, {name}")))
    assert (finding.code, finding.severity) == ("W0280", Severity.WARNING)
    assert finding.path == ("spec", "servers", 0, "tls", "credentialName")
    assert "-n shop" in finding.help


def test_a_certificate_for_the_host_is_nothing_to_tell() -> None:
    for names in (("a.example.com",), ("*.example.com",), ("x.org", "a.example.com")):
        assert about(linked(gateway("mode: SIMPLE, credentialName: c"), secret("c", **pair(ROOT, *names)))) == []


@pytest.mark.parametrize("names", [("b.example.com",), ("*.a.example.com",), ("*.com",)])
def test_a_certificate_for_other_hosts_is_told(names: tuple[str, ...]) -> None:
    (finding,) = about(linked(gateway("mode: SIMPLE, credentialName: c"), secret("c", **pair(ROOT, *names))))
    assert finding.code == "W0283"


def test_a_wildcard_host_needs_a_wildcard_certificate() -> None:
    tls = gateway("mode: SIMPLE, credentialName: c", "'*.example.com'")
    assert about(linked(tls, secret("c", **pair(ROOT, "*.example.com")))) == []
    assert [one.code for one in about(linked(tls, secret("c", **pair(ROOT, "a.example.com"))))] == ["W0283"]


def test_a_secret_that_cannot_be_used_is_told_with_the_reason() -> None:
    mismatched = {"tls_crt": pair(ROOT, "a.example.com")["tls_crt"], "tls_key": pair(ROOT, "a.example.com")["tls_key"]}
    (finding,) = about(linked(gateway("mode: SIMPLE, credentialName: c"), secret("c", **mismatched)))
    assert finding.code == "W0281"
    assert "tls.key is not the key of the certificate in tls.crt" in finding.message


def test_missing_authorities_of_clients_are_told() -> None:
    served = secret("c", **pair(ROOT, "a.example.com"))
    (finding,) = about(linked(gateway("mode: MUTUAL, credentialName: c"), served))
    assert finding.code == "W0281"
    assert "no ca.crt" in finding.message
    beside = secret("c-cacert", cacert=ROOT.pem)
    assert about(linked(gateway("mode: MUTUAL, credentialName: c"), served, beside)) == []
    separate = "mode: MUTUAL, credentialName: c, caCertCredentialName: roots"
    (finding,) = about(linked(gateway(separate), served))
    assert finding.path[-1] == "caCertCredentialName"
    assert about(linked(gateway(separate), served, secret("roots", cacert=ROOT.pem))) == []


def test_a_secret_of_another_namespace_may_be_that_of_the_gateway() -> None:
    elsewhere = secret("c", namespace="infra", **pair(ROOT, "a.example.com"))
    assert about(linked(gateway("mode: SIMPLE, credentialName: c"), elsewhere)) == []


def test_a_rule_for_sidecars_without_a_selector_is_noted() -> None:
    spec = "host: a.example.com\ntrafficPolicy: {tls: {mode: MUTUAL, credentialName: c}}"
    own = secret("c", **pair(ROOT, "a.example.com"), ca_crt=ROOT.pem)
    mesh = linked(document("DestinationRule", spec), own)
    assert [(one.code, one.severity) for one in about(mesh, "DestinationRule")] == [("W0284", Severity.NOTE)]
    chosen = f"{spec}\nworkloadSelector: {{matchLabels: {{a: b}}}}"
    assert about(linked(document("DestinationRule", chosen), own), "DestinationRule") == []
    assert [one.code for one in about(linked(document("DestinationRule", chosen)), "DestinationRule")] == ["W0280"]


def test_the_end_of_a_certificate_is_told_in_time() -> None:
    mesh = linked(gateway("mode: SIMPLE, credentialName: c"), secret("c", **pair(ROOT, "a.example.com")))
    (facts,) = mesh.credentials.values()
    assert facts.not_after is not None
    assert facts.not_before is not None
    fifth = (facts.not_after - facts.not_before) // 5
    said = {
        facts.not_before - 1: "is not valid yet",
        facts.not_before: "",
        facts.not_after - fifth - 1: "",
        facts.not_after - fifth: "expires soon",
        facts.not_after: "has expired",
    }
    for now, words in said.items():
        found = ending(mesh, now)
        assert [one.code for one in found] == (["W0282"] if words else [])
        assert not words or words in found[0].message
    assert next_change(mesh, facts.not_after - 1) == facts.not_after
    assert next_change(mesh, facts.not_after) is None


def test_only_what_is_named_enters_the_mesh() -> None:
    mesh = linked(gateway("mode: SIMPLE, credentialName: c"), secret("c"), secret("helm.v1"), secret("c-cacert"))
    assert sorted(key.name for key in mesh.credentials) == ["c"]
