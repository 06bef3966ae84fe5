"""What is said of a HealthCheck alone and at its services, and what it means."""

from typing import Any

import pytest

from tests.dialects.documents import BY_NAME, content_of, document, fragment
from weft.dialects.link import link
from weft.dialects.translate import check, fragment_of
from weft.model.finding import field_path
from weft.model.health_check import GrpcCheck, HealthCheck, HttpCheck, TcpCheck
from weft.model.mesh import Mesh
from weft.model.settings import Settings

AT = {"targetRefs": [{"kind": "Service", "name": "reviews"}]}
HTTP = AT | {"http": {"path": "/healthz"}}


def said(spec: dict[str, Any]) -> set[tuple[str, str]]:
    return {(one.code, field_path(one.path)) for one in check(BY_NAME["HealthCheck"], content_of("HealthCheck", spec))}


def http(**fields: Any) -> dict[str, Any]:
    return AT | {"http": {"path": "/healthz"} | fields}


@pytest.mark.parametrize(
    ("spec", "code", "place"),
    [
        ({"http": {"path": "/"}}, "W0105", "spec.targetRefs"),
        (HTTP | {"targetRefs": [{"kind": "Gateway", "name": "a"}]}, "W0240", "spec.targetRefs[0].kind"),
        (HTTP | {"targetRefs": [{"kind": "HTTPRoute", "name": "a"}]}, "W0240", "spec.targetRefs[0].kind"),
        (AT, "W0105", "spec"),
        (HTTP | {"tcp": {}}, "W0106", "spec.tcp"),
        (HTTP | {"grpc": {}, "tcp": {}}, "W0106", "spec.grpc"),
        (HTTP | {"interval": "999ms"}, "W0108", "spec.interval"),
        (HTTP | {"interval": "2h"}, "W0108", "spec.interval"),
        (HTTP | {"idleInterval": "10ms"}, "W0108", "spec.idleInterval"),
        (HTTP | {"timeout": "1ms"}, "W0108", "spec.timeout"),
        (HTTP | {"timeout": "2m"}, "W0108", "spec.timeout"),
        (HTTP | {"unhealthyThreshold": 0}, "W0111", "spec.unhealthyThreshold"),
        (HTTP | {"healthyThreshold": 101}, "W0111", "spec.healthyThreshold"),
        (HTTP | {"jitterPercent": 101}, "W0111", "spec.jitterPercent"),
        (HTTP | {"path": "/"}, "W0101", "spec.path"),
        (AT | {"http": {}}, "W0105", "spec.http.path"),
        (http(path="healthz"), "W0122", "spec.http.path"),
        (http(path="/a b"), "W0122", "spec.http.path"),
        (http(path="/a\r\nx: y"), "W0122", "spec.http.path"),
        (http(host="a b"), "W0112", "spec.http.host"),
        (http(expectedStatuses=["2xx"]), "W0124", "spec.http.expectedStatuses[0]"),
        (http(expectedStatuses=["200", "299-200"]), "W0111", "spec.http.expectedStatuses[1]"),
        (http(headers={"a b": "c"}), "W0112", "spec.http.headers.a b"),
        (http(headers={"Host": "c"}), "W0112", "spec.http.headers.Host"),
        (http(headers={":path": "/c"}), "W0112", "spec.http.headers.:path"),
        (http(headers={"x-envoy-original-path": "c"}), "W0112", "spec.http.headers.x-envoy-original-path"),
        (http(headers={"a": "b\nc"}), "W0112", "spec.http.headers.a"),
        (AT | {"grpc": {"authority": "a b"}}, "W0112", "spec.grpc.authority"),
        (AT | {"tcp": {"receive": [""]}}, "W0111", "spec.tcp.receive[0]"),
        (AT | {"tcp": {"send": "PING"}}, "W0128", "spec.tcp.send"),
    ],
)
def test_what_cannot_be_checked_is_named_with_its_place(spec: dict[str, Any], code: str, place: str) -> None:
    assert (code, place) in said(spec)


@pytest.mark.parametrize("spec", [HTTP, AT | {"grpc": {}}, AT | {"tcp": {}}, http(expectedStatuses=["204", "300-399"])])
def test_a_check_that_can_be_made_has_no_findings(spec: dict[str, Any]) -> None:
    assert not said(spec)


def meant(spec: dict[str, Any]) -> HealthCheck:
    (found,) = fragment("HealthCheck", spec).health_checks
    return found.check


def test_a_check_that_says_little_is_made_every_ten_seconds() -> None:
    found = meant(HTTP)
    assert found.how == HttpCheck(path="/healthz", statuses=((200, 299),))
    assert (found.interval, found.idle_interval, found.timeout) == (10_000, 10_000, 1_000)
    assert (found.unhealthy_threshold, found.healthy_threshold, found.jitter) == (3, 2, 10)


def test_what_is_said_is_meant() -> None:
    found = meant(HTTP | {"interval": "2s", "jitterPercent": 0, "timeout": "500ms"})
    assert (found.interval, found.idle_interval, found.timeout, found.jitter) == (2_000, 2_000, 500, 0)
    assert meant(HTTP | {"idleInterval": "1m"}).idle_interval == 60_000
    assert meant(AT | {"grpc": {"service": "a.B"}}).how == GrpcCheck(service="a.B")
    assert meant(AT | {"tcp": {"send": "PING\r\n", "receive": ["PONG"]}}).how == TcpCheck(
        send="PING\r\n", receive=("PONG",)
    )


SERVICE = (
    "{selector: {app: reviews}, ports: [{name: http, port: 80}, {name: grpc, port: 81}, {name: https, port: 82},"
    " {name: dns, port: 53, protocol: UDP}]}"
)


def mesh(*specs: str, service: str = SERVICE, kind: str = "Service") -> Mesh:
    documents = [document(kind, service, "reviews", namespace="shop")]
    documents += [
        document("HealthCheck", spec, f"check-{index}", namespace="shop", created=f"2026-01-0{index + 1}T00:00:00Z")
        for index, spec in enumerate(specs)
    ]
    return link(tuple(fragment_of(one, Settings()) for one in documents), Settings(), 1)


def checked(found: Mesh) -> dict[str, str]:
    """The name of the check of each port that has one."""
    ports = found.services["reviews.shop.svc.cluster.local"].ports
    return {port.name: port.health_check.name for port in ports if port.health_check is not None}


def codes(found: Mesh) -> list[tuple[str, str]]:
    return [(one.code, one.message) for one in found.findings]


_ALL = "targetRefs: [{kind: Service, name: reviews}]"


def test_a_ports_own_check_comes_before_its_services() -> None:
    found = mesh(
        f"{{{_ALL}, tcp: {{}}}}",
        "{targetRefs: [{kind: Service, name: reviews, sectionName: http}], http: {path: /}}",
    )
    assert checked(found) == {"http": "shop/check-1", "grpc": "shop/check-0", "https": "shop/check-0"}
    assert codes(found) == [("W0243", "port 53 of reviews.shop.svc.cluster.local is one of UDP, which is not checked")]


def test_of_two_at_one_place_the_older_holds() -> None:
    at = "{targetRefs: [{kind: Service, name: reviews, sectionName: http}], http: {path: /}}"
    found = mesh(at, at)
    assert checked(found) == {"http": "shop/check-0"}
    assert [code for code, _ in codes(found)] == ["W0242"]


def test_a_check_that_cannot_be_made_at_a_port_is_left_out_and_said() -> None:
    found = mesh(f"{{{_ALL}, grpc: {{}}}}")
    assert checked(found) == {"grpc": "shop/check-0"}
    assert [code for code, _ in codes(found)] == ["W0243"] * 3
    found = mesh(f"{{{_ALL}, http: {{path: /}}}}")
    assert checked(found) == {"http": "shop/check-0", "grpc": "shop/check-0"}
    assert [code for code, _ in codes(found)] == ["W0243"] * 2


def test_a_check_of_nothing_is_said() -> None:
    found = mesh("{targetRefs: [{kind: Service, name: other}], tcp: {}}")
    assert [code for code, _ in codes(found)] == ["W0241"]
    (standing,) = found.standings
    assert [(one.type, one.holds, one.reason) for one in standing.conditions or ()] == [
        ("Accepted", False, "TargetNotFound")
    ]


def test_a_host_without_endpoints_of_its_own_is_not_checked() -> None:
    entry = (
        "{hosts: [reviews.shop.svc.cluster.local], resolution: NONE, ports: [{number: 80, name: http, protocol: HTTP}]}"
    )
    found = mesh(
        "{targetRefs: [{kind: ServiceEntry, name: reviews}], http: {path: /}}", service=entry, kind="ServiceEntry"
    )
    assert checked(found) == {}
    assert "W0243" in [code for code, _ in codes(found)]
