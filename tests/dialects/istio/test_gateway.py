"""A Gateway as it is checked and translated."""

import pytest

from tests.dialects.documents import BY_NAME, content_of, document
from weft.dialects.translate import check, fragment_of
from weft.model.gateway import ClientProof, Gateway, KeyPair, ServerHost, ServerTls, ServerTlsMode
from weft.model.settings import Settings

PORT = "port: {number: 443, name: https, protocol: HTTPS}, hosts: [a.example.com]"
HTTP = "port: {number: 80, name: http, protocol: HTTP}"
FILES = "serverCertificate: /c.pem, privateKey: /k.pem"


def spec(server: str, more: str = "") -> str:
    return f"servers: [{{{server}}}{more}]"


def said(server: str) -> list[str]:
    return [finding.code for finding in check(BY_NAME["Gateway"], content_of("Gateway", spec(server)))]


def translated(text: str) -> Gateway:
    (gateway,) = fragment_of(document("Gateway", text, "edge"), Settings()).gateways
    return gateway


def test_a_gateway_says_which_proxies_open_which_ports_for_whom() -> None:
    gateway = translated(f"selector: {{istio: edge}}\n{spec(HTTP + ', hosts: [A.Example.com, ./b.org, ns/*.c.org]')}")
    (server,) = gateway.servers
    assert (gateway.reference, gateway.selector) == ("shop/edge", (("istio", "edge"),))
    assert (server.port, server.port_name, server.family, server.tls) == (80, "http", "HTTP", None)
    assert server.hosts == (
        ServerHost(host="a.example.com"),
        ServerHost(host="b.org", namespace="shop"),
        ServerHost(host="*.c.org", namespace="ns"),
    )


def test_a_redirect_is_no_tls() -> None:
    (server,) = translated(spec(f"{HTTP}, hosts: [a.b], tls: {{httpsRedirect: true}}")).servers
    assert (server.tls, server.https_redirect, server.family) == (None, True, "HTTP")


def test_files_versions_ciphers_and_names_of_clients_are_kept() -> None:
    tls = (
        f"{{mode: MUTUAL, {FILES}, caCertificates: /ca.pem, caCrl: /crl.pem, subjectAltNames: [a.b], "
        "minProtocolVersion: TLSV1_2, maxProtocolVersion: TLSV1_3, "
        "cipherSuites: [ECDHE-RSA-AES128-GCM-SHA256, nonsense]}"
    )
    (server,) = translated(spec(f"{PORT}, tls: {tls}")).servers
    assert server.tls == ServerTls(
        mode=ServerTlsMode.MUTUAL,
        certificates=(KeyPair(certificate="/c.pem", key="/k.pem"),),
        clients=ClientProof(authorities="/ca.pem", revocations="/crl.pem", names=("a.b",)),
        minimum=2,
        maximum=3,
        ciphers=("ECDHE-RSA-AES128-GCM-SHA256",),
    )


def test_two_certificates_are_served_and_a_third_is_told_of() -> None:
    pairs = ", ".join(f"{{serverCertificate: /c{n}.pem, privateKey: /k{n}.pem}}" for n in range(3))
    server = f"{PORT}, tls: {{mode: SIMPLE, tlsCertificates: [{pairs}]}}"
    assert said(server) == ["W0128"]
    assert [one.key for one in translated(spec(server)).servers[0].tls.certificates] == ["/k0.pem", "/k1.pem"]


@pytest.mark.parametrize(
    ("server", "wanted"),
    [
        (f"{HTTP}, hosts: [a.b], name: x", []),
        (f'{HTTP}, hosts: ["*", 1.2.3.4], bind: "::1"', []),
        (f"{HTTP}, hosts: []", ["W0105"]),
        (f"{HTTP}, hosts: [short]", ["W0107"]),
        (f'{HTTP}, hosts: ["*a.b"]', ["W0107"]),
        (f"{HTTP}, hosts: [/a.b]", ["W0107"]),
        (f'{HTTP}, hosts: ["~/a.b"]', ["W0107"]),
        (f"{HTTP}, hosts: [a.b], bind: here", ["W0116"]),
        (f"{HTTP}, hosts: [a.b], defaultEndpoint: 127.0.0.1:1", []),
        (f"{HTTP}, hosts: [a.b], defaultEndpoint: '[::1]:1'", []),
        (f"{HTTP}, hosts: [a.b], defaultEndpoint: 127.0.0.1:0", ["W0115"]),
        (f"{HTTP}, hosts: [a.b], defaultEndpoint: 10.0.0.1:80", ["W0116"]),
        (f"{HTTP}, hosts: [a.b], defaultEndpoint: 127.0.0.999:80", ["W0116"]),
        (f"{HTTP}, hosts: [a.b], defaultEndpoint: 'unix:///run/a.sock'", ["W0110"]),
        (f"{HTTP}, hosts: [a.b], tls: {{mode: ISTIO_MUTUAL}}", ["W0106"]),
        ("port: {number: 80, name: http, protocol: HTTP, targetPort: 8080}, hosts: [a.b]", ["W0128"]),
        ("port: {number: 80, name: http, protocol: QUIC}, hosts: [a.b]", ["W0102"]),
        ("port: {number: 80, protocol: HTTP}, hosts: [a.b]", ["W0105"]),
        ("port: {number: 0, name: http, protocol: HTTP}, hosts: [a.b]", ["W0115"]),
        ("port: {number: 0, name: http, protocol: HTTP}, hosts: [a.b], bind: 'unix:///run/x'", ["W0110"]),
        ("hosts: [a.b]", ["W0105"]),
        (f"{PORT}, tls: {{mode: SIMPLE, credentialName: 'sds://c'}}", ["W0110"]),
        (f"{PORT}, tls: {{mode: MUTUAL, {FILES}, caCertificates: /ca, caCertCredentialName: c}}", ["W0128"]),
        (f"{PORT}, tls: {{mode: SIMPLE, credentialNames: [a, b, c]}}", ["W0128"]),
        (
            f"{PORT}, tls: {{mode: SIMPLE, {FILES}, minProtocolVersion: TLSV1_3, maxProtocolVersion: TLSV1_2}}",
            ["W0106"],
        ),
        (f"{PORT}, tls: {{mode: SIMPLE, {FILES}, verifyCertificateHash: [abc]}}", ["W0102"]),
        (f"{PORT}, tls: {{mode: SIMPLE, {FILES}, verifyCertificateSpki: [abc]}}", ["W0102"]),
        (f"{PORT}, tls: {{mode: ISTIO_MUTUAL, subjectAltNames: [a]}}", []),
        (f"{PORT}, tls: {{mode: ISTIO_MUTUAL, insecureSkipVerify: true}}", ["W0110"]),
        (f"{PORT}, tls: {{mode: ISTIO_MUTUAL, maxProtocolVersion: TLSV1_2}}", ["W0110"]),
        (f"{PORT}, tls: {{mode: ISTIO_MUTUAL, minProtocolVersion: TLSV1_2}}", ["W0128"]),
        (f"{PORT}, tls: {{mode: ISTIO_MUTUAL, tlsCertificates: [{{{FILES}}}]}}", ["W0106"]),
    ],
)
def test_what_is_wrong_is_said(server: str, wanted: list[str]) -> None:
    assert said(server) == wanted


def test_ports_of_a_gateway_have_different_names() -> None:
    server = f"{HTTP}, hosts: [a.b]"
    findings = check(BY_NAME["Gateway"], content_of("Gateway", spec(server, f", {{{server}}}")))
    assert [(one.code, one.path) for one in findings] == [("W0117", ("spec", "servers", 1, "port", "name"))]


def test_a_gateway_without_servers_is_refused() -> None:
    assert [one.code for one in check(BY_NAME["Gateway"], content_of("Gateway", "servers: []"))] == ["W0105"]
