"""Kubernetes' binary form."""

import pytest

from weft.api.errors import ApiError
from weft.api.protobuf import from_protobuf


def field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def body(kind: str, raw: bytes, version: str = "v1") -> bytes:
    head = field(1, version.encode()) + field(2, kind.encode())
    return b"k8s\x00" + field(1, head) + field(2, raw) + field(3, b"") + field(4, b"")


METADATA = field(1, b"shop") + field(2, b"") + field(8, b"") + field(11, field(1, b"a") + field(2, b"b"))


def test_a_namespace_is_read() -> None:
    assert from_protobuf(body("Namespace", field(1, METADATA) + field(2, b"") + field(3, field(1, b"")))) == {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "shop", "labels": {"a": "b"}},
    }


def test_a_service_is_read() -> None:
    target = field(1, 0) + field(2, 8080) + field(3, b"")
    port = field(1, b"http") + field(2, b"TCP") + field(3, 80) + field(4, target)
    named = field(3, 90) + field(4, field(1, 1) + field(3, b"web"))
    spec = field(1, port) + field(1, named) + field(2, field(1, b"app") + field(2, b"x")) + field(13, 1)
    assert from_protobuf(body("Service", field(2, spec)))["spec"] == {
        "ports": [
            {"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080},
            {"port": 90, "targetPort": "web"},
        ],
        "selector": {"app": "x"},
        "publishNotReadyAddresses": True,
    }


def test_a_quota_is_read() -> None:
    hard = field(1, b"services") + field(2, field(1, b"5"))
    scope = field(1, field(1, b"PriorityClass") + field(2, b"In") + field(3, b"high"))
    spec = field(1, hard) + field(2, b"BestEffort") + field(3, scope)
    assert from_protobuf(body("ResourceQuota", field(2, spec)))["spec"] == {
        "hard": {"services": "5"},
        "scopes": ["BestEffort"],
        "scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]},
    }


@pytest.mark.parametrize(
    "wrong",
    [
        b"{}",
        b"k8s\x00\xff",
        b"k8s\x00" + field(1, 3),
        body("Pod", b""),
        body("Namespace", field(1, METADATA)[:-3]),
        body("Namespace", field(1, field(1, b"\xff"))),
        body("Namespace", field(9, b"x")),
        body("Service", field(2, field(14, b"x"))),
        body("Service", field(2, field(1, field(3, b"80")))),
        body("Namespace", b"\xff" * 11),
        body("Namespace", b"\x0b"),
    ],
)
def test_what_cannot_be_read_is_refused(wrong: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        from_protobuf(wrong)
    assert refused.value.code == 400
