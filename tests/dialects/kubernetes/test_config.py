"""Kubernetes' ConfigMaps and Secrets: what is refused, what can no longer be changed, what becomes of what was sent."""

from typing import Any

import pytest

from tests.dialects.documents import BY_NAME, codes
from weft.dialects.translate import check, check_change, completed, fragment_of, received
from weft.model.document import Document, Key
from weft.model.settings import Settings

MIB = 1024 * 1024


def config(kind: str, annotations: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    metadata = {"name": "sample", "namespace": "shop", "annotations": annotations or {}}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **fields}


def said(kind: str, **fields: Any) -> list[tuple[str, str]]:
    return codes(check(BY_NAME[kind], config(kind, **fields)))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"data": {"a": "", "a.b-C_9": "é\n", ".hidden": "x", "x" * 253: "z"}},
        {"binaryData": {"a": "AAEC", "b": "AA\nEC\r\n", "c": ""}, "immutable": True},
    ],
)
def test_config_maps_hold_texts_and_bytes(fields: dict[str, Any]) -> None:
    assert said("ConfigMap", **fields) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"data": {"a b": "x"}}, [("W0129", "data.a b")]),
        ({"data": {"": "x"}}, [("W0129", "data.")]),
        ({"data": {"..": "x"}}, [("W0129", "data...")]),
        ({"data": {"..a": "x"}}, [("W0129", "data...a")]),
        ({"binaryData": {"x" * 254: ""}}, [("W0129", f"binaryData.{'x' * 254}")]),
        ({"data": {"a": 5}}, [("W0102", "data.a")]),
        ({"data": {"a": None}}, [("W0102", "data.a")]),
        ({"binaryData": {"a": "AA"}}, [("W0102", "binaryData.a")]),
        ({"binaryData": {"a": "A-_="}}, [("W0102", "binaryData.a")]),
        ({"data": {"a": "x"}, "binaryData": {"a": "AAEC"}}, [("W0117", "binaryData.a")]),
        ({"data": {"a": "x" * MIB}}, []),
        ({"data": {"a": "x" * MIB, "b": "y"}}, [("W0130", "data")]),
        ({"data": {"a": "é" * MIB}}, [("W0130", "data")]),
        ({"spec": {}}, [("W0101", "spec")]),
        ({"status": {}}, [("W0101", "status")]),
        ({"immutable": "yes"}, [("W0102", "immutable")]),
    ],
)
def test_a_mistake_in_a_config_map_is_told_at_its_place(
    fields: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert said("ConfigMap", **fields) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"data": {"a": "AAEC"}, "stringData": {"b": "x"}, "type": "mine/own"}, []),
        ({"data": {"a": "not base64"}}, [("W0102", "data.a")]),
        ({"stringData": {"a b": "x"}}, [("W0129", "stringData.a b")]),
        ({"data": {"a": "eA=="}, "stringData": {"a": "x" * MIB}}, []),
        ({"data": {"b": "eA=="}, "stringData": {"a": "x" * MIB}}, [("W0130", "data")]),
        ({"type": "kubernetes.io/tls"}, [("W0105", "data"), ("W0105", "data")]),
        ({"type": "kubernetes.io/tls", "stringData": {"tls.crt": "", "tls.key": ""}}, []),
        ({"type": "kubernetes.io/basic-auth"}, [("W0105", "data")]),
        ({"type": "kubernetes.io/basic-auth", "stringData": {"password": "x"}}, []),
        ({"type": "kubernetes.io/ssh-auth"}, [("W0105", "data")]),
        ({"type": "kubernetes.io/dockerconfigjson"}, [("W0105", "data")]),
        (
            {"type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": "{"}},
            [("W0102", "data..dockerconfigjson")],
        ),
        ({"type": "kubernetes.io/service-account-token"}, [("W0105", "metadata.annotations")]),
        (
            {
                "type": "kubernetes.io/service-account-token",
                "annotations": {"kubernetes.io/service-account.name": "reviews"},
            },
            [],
        ),
    ],
)
def test_a_mistake_in_a_secret_is_told_at_its_place(fields: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert said("Secret", **fields) == expected


def test_what_is_told_of_a_secret_does_not_repeat_it() -> None:
    findings = check(BY_NAME["Secret"], config("Secret", data={"a": "hunter2!"}))
    assert findings
    assert "hunter2" not in str(findings)


@pytest.mark.parametrize(
    ("kind", "old", "new", "expected"),
    [
        ("ConfigMap", {"data": {"a": "1"}}, {"data": {"a": "2"}}, []),
        ("ConfigMap", {"data": {"a": "1"}, "immutable": True}, {"data": {"a": "1"}, "immutable": True}, []),
        ("ConfigMap", {"data": {"a": "1"}, "immutable": True}, {"data": {"a": "1"}}, ["immutable"]),
        ("ConfigMap", {"data": {"a": "1"}, "immutable": True}, {"immutable": True}, ["data"]),
        ("ConfigMap", {"immutable": True}, {"immutable": True, "binaryData": {"a": ""}}, ["binaryData"]),
        ("Secret", {"type": "a"}, {"type": "b"}, ["type"]),
        ("Secret", {"type": "Opaque"}, {}, []),
        ("Secret", {"data": {"a": ""}, "immutable": True}, {"data": {}, "immutable": False}, ["immutable", "data"]),
    ],
)
def test_what_can_no_longer_be_changed_is_told(
    kind: str, old: dict[str, Any], new: dict[str, Any], expected: list[str]
) -> None:
    findings = check_change(BY_NAME[kind], config(kind, **old), config(kind, **new))
    assert codes(findings) == [("W0131", path) for path in expected]


def test_texts_of_a_secret_become_its_data_and_win() -> None:
    sent = config("Secret", data={"a": "AAEC", "b": "AAEC"}, stringData={"a": "text"})
    made = received(BY_NAME["Secret"], sent)
    assert made["data"] == {"a": "dGV4dA==", "b": "AAEC"}
    assert "stringData" not in made


@pytest.mark.parametrize("odd", [{"stringData": []}, {"stringData": {"a": 1}}, {"stringData": {"a": "x"}, "data": 5}])
def test_what_is_no_secret_is_left_for_the_check(odd: dict[str, Any]) -> None:
    sent = config("Secret", **odd)
    assert received(BY_NAME["Secret"], sent) == sent
    assert check(BY_NAME["Secret"], sent)


def test_a_secret_has_a_type_and_keeps_the_one_it_has() -> None:
    assert completed(BY_NAME["Secret"], config("Secret"))["type"] == "Opaque"
    assert completed(BY_NAME["Secret"], config("Secret", type="mine"))["type"] == "mine"


@pytest.mark.parametrize("content", [b"{}", b"no json", b'{"data":{"a":"eA=="}}'])
def test_of_neither_the_content_enters_the_mesh(content: bytes) -> None:
    for kind in ("Secret", "ConfigMap"):
        key = Key(kind=kind, name="sample", namespace="shop")
        (facts,) = fragment_of(Document(key=key, content=content), Settings()).credentials
        assert (facts.key, facts.certificate, facts.authorities) == (key, False, False)
