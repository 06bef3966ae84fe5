"""What is said of a WasmPlugin and a TrafficExtension alone, and what they mean."""

from typing import Any

import pytest

from tests.dialects.documents import BY_NAME, content_of
from weft.dialects.translate import check
from weft.model.finding import field_path

FILE = "file:///opt/it.wasm"
GATEWAY = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge"}


def said(kind: str = "WasmPlugin", **spec: Any) -> set[tuple[str, str]]:
    return {(one.code, field_path(one.path)) for one in check(BY_NAME[kind], content_of(kind, spec))}


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "W0105"),
        ("oci://registry.example.com/it:1", "W0110"),
        ("registry.example.com/it:1", "W0110"),
        ("http://169.254.169.254/it.wasm", "W0110"),
        ("https://example.com/it.wasm", "W0110"),
        ("ftp://example.com/it.wasm", "W0102"),
        ("file://opt/it.wasm", "W0102"),
        ("file:///opt/", "W0102"),
        ("#%nothing", "W0102"),
        ("http://[", "W0102"),
    ],
)
def test_a_module_is_a_file_and_everything_else_is_refused_by_name(url: str, code: str):
    assert said(url=url) == {(code, "spec.url")}


@pytest.mark.parametrize(
    ("spec", "code", "place"),
    [
        ({"sha256": "short"}, "W0102", "sha256"),
        ({"imagePullPolicy": "Always"}, "W0128", "imagePullPolicy"),
        ({"match": [{"ports": [{}]}]}, "W0115", "match[0].ports[0].number"),
        ({"match": [{"ports": [{"number": 1}, {"number": 1}]}]}, "W0117", "match[0].ports[1].number"),
        ({"vmConfig": {"env": [{"name": "A"}, {"name": "A"}]}}, "W0117", "vmConfig.env[1].name"),
        ({"vmConfig": {"env": [{"name": "A", "valueFrom": "HOST", "value": "x"}]}}, "W0106", "vmConfig.env[0].value"),
        ({"targetRef": GATEWAY, "selector": {"matchLabels": {"a": "b"}}}, "W0106", "targetRef"),
        ({"targetRef": GATEWAY | {"namespace": "other"}}, "W0121", "targetRef.namespace"),
        ({"targetRefs": [{"kind": "Service", "name": "web"}]}, "W0128", "targetRefs[0].kind"),
    ],
)
def test_what_cannot_be_is_named_with_its_place(spec: dict[str, Any], code: str, place: str):
    assert said(url=FILE, **spec) == {(code, f"spec.{place}")}


def test_an_extension_is_a_module_or_a_script():
    assert said("TrafficExtension") == {("W0106", "spec")}
    assert said("TrafficExtension", wasm={"url": FILE}, lua={"inlineCode": "x"}) == {("W0106", "spec")}
    assert said("TrafficExtension", lua={"inlineCode": ""}) == {("W0105", "spec.lua.inlineCode")}
    assert said("TrafficExtension", wasm={"url": "oci://a/b"}) == {("W0110", "spec.wasm.url")}
