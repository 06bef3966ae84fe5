"""The defaults of Kubernetes' API server, so that clients find in a Service what they would find in a cluster."""

from typing import Any

import pytest

from tests.dialects.documents import BY_NAME, checked, content_of, fragment
from weft.dialects.translate import completed

SERVICE = BY_NAME["Service"]


def spec_of(spec: str) -> dict[str, Any]:
    found: dict[str, Any] = completed(SERVICE, content_of("Service", spec))["spec"]
    return found


def test_a_plain_service_gets_what_an_api_server_gives_it() -> None:
    assert spec_of("selector: {app: a}\nports: [{port: 80}, {port: 81, protocol: UDP, targetPort: web}]") == {
        "selector": {"app": "a"},
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
        "ports": [
            {"port": 80, "protocol": "TCP", "targetPort": 80},
            {"port": 81, "protocol": "UDP", "targetPort": "web"},
        ],
    }


@pytest.mark.parametrize(
    ("spec", "added"),
    [
        ("type: ExternalName\nexternalName: a.b", set()),
        ("type: NodePort\nports: []", {"internalTrafficPolicy", "externalTrafficPolicy"}),
        (
            "type: LoadBalancer\nports: []",
            {"internalTrafficPolicy", "externalTrafficPolicy", "allocateLoadBalancerNodePorts"},
        ),
        ("sessionAffinity: ClientIP\nports: []", {"internalTrafficPolicy", "sessionAffinityConfig", "type"}),
    ],
)
def test_what_is_added_depends_on_the_type(spec: str, added: set[str]) -> None:
    written = content_of("Service", spec)["spec"]
    assert set(spec_of(spec)) - set(written) - {"sessionAffinity"} == added


def test_what_was_written_stays() -> None:
    spec = "type: ClusterIP\nsessionAffinity: None\ninternalTrafficPolicy: Local\nports: [{port: 80, targetPort: 0x50}]"
    assert spec_of(spec) | {"ports": []} == content_of("Service", spec)["spec"] | {"ports": []}


def test_a_completed_service_is_complete_and_without_findings() -> None:
    once = completed(SERVICE, content_of("Service", "ports: [{port: 80}]"))
    assert completed(SERVICE, once) == once
    assert checked("Service", once["spec"]) == ()


def test_defaults_change_nothing_for_the_mesh_but_the_target_that_was_meant() -> None:
    plain = fragment("Service", "selector: {a: b}\nports: [{port: 80, name: http}]").services[0]
    full = fragment("Service", spec_of("selector: {a: b}\nports: [{port: 80, name: http}]")).services[0]
    assert (plain.ports[0].target or plain.ports[0].number) == full.ports[0].target
    assert (plain.selector, plain.ports[0].protocol) == (full.selector, full.ports[0].protocol)


@pytest.mark.parametrize("spec", [None, [], "x", {"ports": {"a": 1}}, {"ports": [None, 5]}])
def test_what_is_no_service_is_left_for_the_check(spec: Any) -> None:
    content = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": spec}
    assert completed(SERVICE, content)["kind"] == "Service"
