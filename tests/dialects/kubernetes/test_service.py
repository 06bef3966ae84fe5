"""Kubernetes' Services and Namespaces."""

import pytest

from tests.dialects.documents import checked, codes, fragment
from weft.model.service import Port, Protocol, Resolution


def test_a_service_has_a_host_ports_and_a_selector() -> None:
    spec = """
    selector: {app: reviews}
    clusterIP: 10.96.0.1
    ports:
    - {port: 80, name: http, targetPort: 9080}
    - {port: 81, name: grpc-x, targetPort: web}
    - {port: 82, name: other, appProtocol: http2}
    """
    (service,) = fragment("Service", spec, "reviews").services
    assert service.host == "reviews.shop.svc.cluster.local"
    assert (service.name, service.namespace) == ("reviews", "shop")
    assert service.selector == (("app", "reviews"),)
    assert service.addresses == ("10.96.0.1",)
    assert (service.resolution, service.external) == (Resolution.STATIC, False)
    assert service.ports == (
        Port(number=80, name="http", protocol=Protocol.HTTP, target=9080),
        Port(number=81, name="grpc-x", protocol=Protocol.GRPC, target="web"),
        Port(number=82, name="other", protocol=Protocol.HTTP2),
    )


def test_a_headless_service_without_a_selector_selects_nothing() -> None:
    (service,) = fragment("Service", "clusterIP: None\nports: [{port: 80}]", "a").services
    assert (service.selector, service.addresses) == (None, ())


def test_an_external_name_is_what_dns_says_of_another_name() -> None:
    spec = "type: ExternalName\nexternalName: api.example.com\nports: [{port: 443, name: https}]"
    (service,) = fragment("Service", spec, "api").services
    assert (service.resolution, service.external) == (Resolution.DNS, True)
    assert [endpoint.address for endpoint in service.endpoints] == ["api.example.com"]


def test_the_annotation_of_istio_limits_who_sees_a_service() -> None:
    made = fragment("Service", "ports: [{port: 80}]", "a", annotations={"networking.istio.io/exportTo": "., web"})
    assert made.services[0].export_to == (".", "web")


@pytest.mark.parametrize(
    ("spec", "code", "path"),
    [
        ("{}", "W0105", "spec.ports"),
        ("ports: [{port: 0}]", "W0115", "spec.ports.0.port"),
        ("ports: [{port: 65536}]", "W0115", "spec.ports.0.port"),
        ("ports: [{port: 80, name: Web}]", "W0115", "spec.ports.0.name"),
        ("ports: [{port: 80, name: a}, {port: 81}]", "W0105", "spec.ports.1"),
        ("ports: [{port: 80, name: a}, {port: 80, name: b}]", "W0117", "spec.ports.0.port"),
        ("ports: [{port: 80, name: a}, {port: 81, name: a}]", "W0117", "spec.ports.0.name"),
        ("ports: [{port: 80, targetPort: a--b}]", "W0115", "spec.ports.0.targetPort"),
        ("ports: [{port: 80, targetPort: 99999}]", "W0115", "spec.ports.0.targetPort"),
        ("ports: [{port: 80, protocol: SCTP}]", "W0110", "spec.ports.0.protocol"),
        ("ports: [{port: 80, protocol: tcp}]", "W0102", "spec.ports.0.protocol"),
        ("ports: [{port: 80}]\nselector: {a b: c}", "W0114", "spec.selector.a b"),
        ("ports: [{port: 80}]\nclusterIP: here", "W0116", "spec.clusterIP"),
        ("ports: [{port: 80}]\nclusterIP: 10.0.0.1\nclusterIPs: [10.0.0.2]", "W0116", "spec.clusterIPs.0"),
        ("type: ExternalName", "W0105", "spec"),
        ("type: ExternalName\nexternalName: a_b", "W0107", "spec.externalName"),
        ("ports: [{port: 80}]\ntype: NodePort", "W0128", "spec.type"),
        ("ports: [{port: 80}]\ninternalTrafficPolicy: Local", "W0128", "spec.internalTrafficPolicy"),
    ],
)
def test_a_mistake_is_told_at_its_place(spec: str, code: str, path: str) -> None:
    assert codes(checked("Service", spec)) == [(code, path)]


@pytest.mark.parametrize("name", ["1a", "a.b", "x" * 64])
def test_a_name_of_a_service_is_a_part_of_host_names(name: str) -> None:
    assert codes(checked("Service", "ports: [{port: 80}]", name=name)) == [("W0125", "metadata.name")]


def test_a_namespace_is_its_name() -> None:
    assert checked("Namespace", "", name="shop") == ()
    assert codes(checked("Namespace", "", name="a.b")) == [("W0125", "metadata.name")]
