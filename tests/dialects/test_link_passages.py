"""Rules for connections at gateways: those that get none, and ports that have none."""

import pytest

from tests.dialects.documents import document, linked
from tests.dialects.test_link_gateways import gateway
from weft.model.document import Document
from weft.model.finding import Finding
from weft.model.mesh import Mesh

TCP = "{port: {number: 9000, name: tcp, protocol: TCP}, hosts: ['*']}"
TLS = "{port: {number: 443, name: tls, protocol: TLS}, hosts: [a.com, b.com], tls: {}}"
AUTO = "{port: {number: 443, name: tls, protocol: TLS}, hosts: ['*.local'], tls: {mode: AUTO_PASSTHROUGH}}"
ROUTE = "route: [{destination: {host: reviews}}]"


def rules(name: str, field: str, match: str = "", *, hosts: str = "[a.com]", created: str = "1") -> Document:
    matches = f"match: [{match}], " if match else ""
    spec = f"hosts: {hosts}\ngateways: [edge]\n{field}: [{{{matches}{ROUTE}}}]"
    return document("VirtualService", spec, name, created=created)


def passing_findings(mesh: Mesh) -> list[Finding]:
    return [one for one in mesh.findings if one.code in ("W0224", "W0225")]


def test_of_two_rules_for_a_tcp_port_the_younger_is_told_of() -> None:
    (finding,) = passing_findings(
        linked(gateway("edge", TCP), rules("young", "tcp", created="2"), rules("old", "tcp", created="1"))
    )
    assert (finding.code, finding.path) == ("W0224", ("spec", "tcp", 0))
    assert finding.document is not None
    assert finding.document.name == "young"
    assert finding.message == "VirtualService shop/old takes every connection at the gateway already"


def test_a_name_that_is_taken_is_told_of() -> None:
    (finding,) = passing_findings(
        linked(
            gateway("edge", TLS),
            rules("old", "tls", "{sniHosts: [a.com]}"),
            rules("young", "tls", "{sniHosts: [a.com, b.com]}", hosts="[a.com, b.com]", created="2"),
        )
    )
    assert "takes connections for a.com" in finding.message


def test_a_port_without_rules_is_told_of() -> None:
    (finding,) = passing_findings(linked(gateway("edge", TCP), rules("r", "tcp", "{port: 9001}")))
    assert (finding.code, finding.path, finding.at_key) == ("W0225", ("spec", "servers", 0, "port"), True)


def test_sidecars_clusters_need_no_rules() -> None:
    assert not passing_findings(linked(gateway("edge", AUTO)))
    assert not passing_findings(linked(gateway("edge", TLS), rules("r", "tls", "{sniHosts: [a.com]}")))


@pytest.mark.parametrize(
    ("first", "second", "hidden"),
    [
        ("{sourceSubnet: 10.0.0.0/8}", "{sourceSubnet: 10.1.0.0/16}", "from 10.1.0.0/16"),
        ("{sourceSubnet: 10.1.0.0/16}", "{sourceSubnet: 10.0.0.0/8}", ""),
        ("{sourceSubnet: 10.0.0.0/8}", "", ""),
        ("", "{sourceSubnet: 10.0.0.0/8}", "from 10.0.0.0/8"),
        ("{sourceSubnet: 10.0.0.1}", "{sourceSubnet: 10.0.0.1/32}", "from 10.0.0.1/32"),
        ("{sourceSubnet: 10.0.0.0/8}", "{sourceSubnet: 'fd00::/8'}", ""),
    ],
)
def test_a_rule_for_clients_whom_an_older_one_has_is_told_of(first: str, second: str, hidden: str) -> None:
    mesh = linked(gateway("edge", TCP), rules("old", "tcp", first), rules("young", "tcp", second, created="2"))
    found = [one.message for one in passing_findings(mesh)]
    wanted = f"VirtualService shop/old takes every connection {hidden} at the gateway already"
    assert found == ([wanted] if hidden else [])


def test_a_port_with_an_endpoint_of_its_own_needs_no_rules() -> None:
    own = TCP.replace("hosts:", "defaultEndpoint: '127.0.0.1:1', hosts:")
    assert not passing_findings(linked(gateway("edge", own)))
