"""WorkloadEntries, ServiceEntries and PeerAuthentications."""

from typing import Any

import pytest

from tests.dialects.documents import checked, codes, fragment
from weft.model.security import MtlsMode
from weft.model.service import Port, Protocol, Resolution


def test_a_workload_has_labels_of_its_metadata_and_of_its_specification_which_win() -> None:
    spec = "{address: 10.0.0.1, ports: {http: 8080}, labels: {a: spec}, serviceAccount: web, weight: 3, locality: r/z}"
    (workload,) = fragment("WorkloadEntry", spec, "w", labels={"a": "metadata", "b": "c"}).workloads
    assert workload.labels == (("a", "spec"), ("b", "c"))
    assert (workload.account, workload.weight, workload.locality) == ("web", 3, "r/z")
    assert workload.ports == (("http", 8080),)


def test_a_workload_without_an_account_has_none_and_so_no_sidecar() -> None:
    (workload,) = fragment("WorkloadEntry", "address: 10.0.0.1").workloads
    assert workload.account == ""
    assert not workload.meshed


@pytest.mark.parametrize(
    ("status", "healthy"),
    [
        (None, True),
        ({}, True),
        ({"conditions": [{"type": "Healthy", "status": "True"}]}, True),
        ({"conditions": [{"type": "Ready", "status": "False"}]}, True),
        ({"conditions": [{"type": "Ready"}, {"type": "Healthy", "status": "False", "message": "x"}]}, False),
        ({"conditions": "none"}, True),
        ({"conditions": [None, 5]}, True),
    ],
)
def test_a_workload_is_healthy_until_its_status_says_otherwise(status: dict[str, Any] | None, healthy: bool) -> None:
    assert fragment("WorkloadEntry", "address: 10.0.0.1", status=status).workloads[0].healthy is healthy


def test_a_service_entry_is_a_service_for_each_host() -> None:
    spec = """
    hosts: [a.example.com, b.example.com]
    ports: [{number: 443, name: https, protocol: https}, {number: 80, name: web, targetPort: 8080}]
    resolution: DNS
    exportTo: ["."]
    endpoints: [{address: c.example.com, ports: {https: 8443}, labels: {a: b}}]
    """
    services = fragment("ServiceEntry", spec, "entry").services
    assert [service.host for service in services] == ["a.example.com", "b.example.com"]
    first = services[0]
    assert first.ports == (
        Port(number=443, name="https", protocol=Protocol.HTTPS),
        Port(number=80, name="web", protocol=Protocol.TCP, target=8080),
    )
    assert (first.resolution, first.external, first.export_to) == (Resolution.DNS, True, (".",))
    assert [(endpoint.address, endpoint.ports) for endpoint in first.endpoints] == [
        ("c.example.com", (("https", 8443),))
    ]


def test_a_service_entry_of_the_mesh_selects_its_workloads() -> None:
    spec = """
    hosts: [a.example.com]
    location: MESH_INTERNAL
    resolution: STATIC
    ports: [{number: 80, name: http, protocol: HTTP}]
    workloadSelector: {labels: {app: a}}
    """
    (service,) = fragment("ServiceEntry", spec).services
    assert (service.external, service.selector) == (False, (("app", "a"),))


def test_every_host_of_a_domain_can_be_looked_up_when_it_is_called() -> None:
    spec = 'hosts: ["*.a.com"]\nresolution: DYNAMIC_DNS\nports: [{number: 80, name: http, protocol: HTTP}]'
    assert codes(checked("ServiceEntry", spec)) == []


@pytest.mark.parametrize(
    ("spec", "code", "path"),
    [
        ("hosts: [a.b]\naddresses: [here]", "W0116", "spec.addresses.0"),
        ("hosts: [a.b]\nports: [{number: 80, name: a, protocol: gopher}]", "W0102", "spec.ports.0.protocol"),
        ("hosts: [a.b]\nexportTo: ['*', a]", "W0113", "spec.exportTo"),
        ("hosts: [a.b]\nresolution: STATIC\nendpoints: [{}]", "W0105", "spec.endpoints.0"),
    ],
)
def test_a_mistake_in_a_service_entry_is_told_at_its_place(spec: str, code: str, path: str) -> None:
    assert (code, path) in codes(checked("ServiceEntry", spec))


def test_modes_that_are_unset_inherit() -> None:
    spec = "{selector: {matchLabels: {a: b}}, mtls: {mode: UNSET}, portLevelMtls: {9090: {}, 8080: {mode: STRICT}}}"
    (policy,) = fragment("PeerAuthentication", spec).peer_policies
    assert (policy.mode, policy.selector) == (None, (("a", "b"),))
    assert policy.ports == ((8080, MtlsMode.STRICT), (9090, None))


def test_the_mode_of_a_namespace() -> None:
    (policy,) = fragment("PeerAuthentication", "mtls: {mode: DISABLE}").peer_policies
    assert (policy.mode, policy.selector, policy.namespace) == (MtlsMode.DISABLE, (), "shop")


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "080808", "\u0663"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    spec = {"selector": {"matchLabels": {"a": "b"}}, "portLevelMtls": {port: {"mode": "STRICT"}}}
    assert codes(checked("PeerAuthentication", spec)) == [("W0115", f"spec.portLevelMtls.{port}")]
