"""Gateways together: their order, servers that clash, rules that bind to them."""

from tests.dialects.documents import document, linked
from weft.model.document import Document
from weft.model.finding import Finding
from weft.model.gateway import bound_hosts, covers, covers_labels, merged
from weft.model.mesh import Mesh

FILES = "serverCertificate: /c.pem, privateKey: /k.pem"
SHOP = "[shop.example.com]"


def http(host: str, port: int = 80, name: str = "http") -> str:
    return f"{{port: {{number: {port}, name: {name}, protocol: HTTP}}, hosts: {host}}}"


def https(host: str, name: str = "https", port: int = 443) -> str:
    return f"{{port: {{number: {port}, name: {name}, protocol: HTTPS}}, hosts: {host}, tls: {{mode: SIMPLE, {FILES}}}}}"


def gateway(name: str, *servers: str, created: str = "1", selector: str = "{istio: edge}", **more: str) -> Document:
    spec = f"selector: {selector}\nservers: [{', '.join(servers)}]"
    return document("Gateway", spec, name, created=created, **more)


def rules(hosts: str, gateways: str, namespace: str = "shop") -> Document:
    spec = f"hosts: {hosts}\ngateways: {gateways}\nhttp: [{{directResponse: {{status: 200}}}}]"
    return document("VirtualService", spec, "rules", namespace=namespace)


def gateway_findings(mesh: Mesh) -> list[Finding]:
    return [one for one in mesh.findings if one.code in ("W0210", "W0220", "W0221", "W0222")]


def test_gateways_come_in_order_of_age() -> None:
    mesh = linked(gateway("a", http(SHOP), created="2"), gateway("b", http("[b.example.com]"), created="1"))
    assert [one.reference for one in mesh.gateways] == ["shop/b", "shop/a"]
    assert not gateway_findings(mesh)


def test_a_port_has_one_protocol_and_the_older_gateway_decides() -> None:
    mesh = linked(gateway("old", http(SHOP)), gateway("young", https(SHOP, port=80), created="2"))
    (finding,) = gateway_findings(mesh)
    assert (finding.code, finding.path) == ("W0221", ("spec", "servers", 0, "port"))
    assert finding.document is not None
    assert finding.document.name == "young"
    assert "shop/old" in finding.message


def test_plaintext_servers_of_one_host_are_merged_and_told_of() -> None:
    mesh = linked(gateway("old", http(SHOP)), gateway("young", http(SHOP), created="2"))
    assert [one.code for one in gateway_findings(mesh)] == ["W0222"]
    assert len(merged(mesh.gateways).servers) == 2


def test_tls_servers_share_a_port_as_long_as_their_hosts_differ() -> None:
    apart = linked(gateway("old", https(SHOP)), gateway("young", https("[b.example.com]"), created="2"))
    assert not gateway_findings(apart)
    same = linked(gateway("old", https(SHOP)), gateway("young", https(f"[other/{SHOP[1:]}"), created="2"))
    (finding,) = gateway_findings(same)
    assert (finding.code, finding.path) == ("W0221", ("spec", "servers", 0, "hosts"))
    assert [one.gateway.name for one in merged(same.gateways).servers] == ["old"]


def test_gateways_of_different_proxies_do_not_clash() -> None:
    mesh = linked(
        gateway("old", http(SHOP)), gateway("young", https(SHOP, port=80), created="2", selector="{istio: egress}")
    )
    assert not gateway_findings(mesh)


def test_a_narrower_selector_clashes_with_a_wider_one() -> None:
    mesh = linked(
        gateway("old", http(SHOP)),
        gateway("young", https(SHOP, port=80), created="2", selector="{istio: edge, zone: a}"),
    )
    assert [one.code for one in gateway_findings(mesh)] == ["W0221"]
    assert [one.name for one in covers_labels(mesh.gateways, (("istio", "edge"),))] == ["old"]


def test_a_gateway_that_is_not_there_is_told_of_where_it_is_named() -> None:
    (finding,) = gateway_findings(linked(rules(SHOP, "[mesh, edge]")))
    assert (finding.code, finding.path) == ("W0210", ("spec", "gateways", 1))
    assert '"shop/edge"' in finding.message


def test_rules_whose_hosts_no_server_has_are_told_of() -> None:
    (finding,) = gateway_findings(linked(gateway("edge", http("[a.example.com]")), rules("[b.example.com]", "[edge]")))
    assert (finding.code, finding.path) == ("W0220", ("spec", "gateways", 0))


def test_a_server_lets_only_the_namespace_bind_that_it_names() -> None:
    edge = gateway("edge", http(f"[./{SHOP[1:]}"))
    assert not gateway_findings(linked(edge, rules(SHOP, "[shop/edge]")))
    (finding,) = gateway_findings(linked(edge, rules(SHOP, "[shop/edge]", namespace="other")))
    assert finding.code == "W0220"


def test_the_narrower_of_two_hosts_is_bound() -> None:
    mesh = linked(gateway("edge", http('["*.example.com", a.org, "*.b.org"]')))
    (server,) = mesh.gateways[0].servers
    assert bound_hosts(server, ("x.example.com", "a.org"), "shop") == ("x.example.com", "a.org")
    assert bound_hosts(server, ("*.org",), "shop") == ("a.org", "*.b.org")
    assert bound_hosts(server, ("*",), "shop") == ("a.org", "*.example.com", "*.b.org")
    assert bound_hosts(server, ("example.com", "a.b.c"), "shop") == ()


def test_a_wildcard_covers_names_below_its_domain_and_narrower_wildcards() -> None:
    assert covers("*", "*.example.com")
    assert covers("*.example.com", "a.example.com")
    assert covers("*.example.com", "*.a.example.com")
    assert not covers("*.a.example.com", "*.example.com")
    assert not covers("*.example.com", "example.com")
