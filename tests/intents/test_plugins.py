"""Plugins whose files are made here, in real Envoys."""

import contextlib
import http.client
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.compiler.sidecars import Answer
from tests.intents.intent import SETTINGS, world
from tests.intents.minimesh import MiniMesh, until
from tests.intents.rig import always, ask, mesh_of
from tests.intents.wasm import header_module
from weft.dialects.translate import fragment_of
from weft.model.document import Document, Key
from weft.model.mesh import Mesh

pytestmark = pytest.mark.live


def with_plugin(name: str, kind: str = "WasmPlugin", **spec: Any) -> Mesh:
    key = Key(group="extensions.istio.io", kind=kind, namespace="shop", name=name)
    metadata = {"name": name, "namespace": "shop"}
    content = {"apiVersion": "extensions.istio.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}
    fragment = fragment_of(Document(key=key, content=json.dumps(content).encode()), SETTINGS)
    assert not fragment.findings, fragment.findings
    return replace(world(), plugins=fragment.plugins)


def call(mini: MiniMesh, host: str = "reviews:9080") -> Answer:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", mini.proxy, timeout=20)) as connection:
        connection.request("GET", f"http://{host}/", headers={"Host": host})
        return Answer(connection.getresponse())


WEB = {"matchLabels": {"app": "web"}}
REVIEWS = {"matchLabels": {"app": "reviews"}}


@pytest.fixture
def module(tmp_path: Path) -> str:
    path = tmp_path / "plugin.wasm"
    path.write_bytes(header_module("x-wasm", "was here"))
    return f"file://{path}"


@pytest.mark.parametrize("spec", [{"selector": WEB}, {"selector": REVIEWS}, {"phase": "AUTHN", "priority": 3}])
def test_a_module_changes_the_answers_of_the_proxies_that_it_is_for(spec: dict[str, Any], mini: MiniMesh, module: str):
    mini.serve(with_plugin("it", url=module, **spec))
    always(lambda: "was here" in call(mini).headers.get("x-wasm", ""))


SETTINGS_OF_IT = {
    "pluginName": "first",
    "pluginConfig": {"greeting": "hello"},
    "vmConfig": {"env": [{"name": "PLACE", "value": "here"}, {"name": "HOME", "valueFrom": "HOST"}]},
}


def test_a_module_has_the_configuration_and_the_variables_that_are_said(mini: MiniMesh, module: str):
    mini.serve(with_plugin("configured", url=module, selector=WEB, **SETTINGS_OF_IT))
    until(lambda: "x-wasm" in call(mini).headers)
    assert_configured(mini)


def test_a_module_of_a_traffic_extension_is_the_same(mini: MiniMesh, module: str):
    wasm = {"url": module, "failStrategy": "FAIL_OPEN", "type": "HTTP", **SETTINGS_OF_IT}
    mini.serve(with_plugin("extension", "TrafficExtension", selector=WEB, phase="STATS", wasm=wasm))
    until(lambda: "x-wasm" in call(mini).headers)
    assert_configured(mini)


def assert_configured(mini: MiniMesh) -> None:
    """What the caller's Envoy says that it runs."""
    dump = mini.client.ask("/config_dump?resource=ecds_filters")
    for said in ('"root_id": "first"', "greeting", '"PLACE": "here"', '"HOME"'):
        assert said in dump, dump


TARGET = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge"}
EDGE_DOCUMENTS = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec: {gatewayClassName: weft, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop, namespace: shop}
spec: {parentRefs: [{name: edge}], rules: [{backendRefs: [{name: reviews, port: 9080}]}]}
"""


@pytest.mark.parametrize(
    ("kind", "targets"),
    [
        ("WasmPlugin", {"targetRef": TARGET}),
        ("WasmPlugin", {"targetRefs": [TARGET]}),
        ("TrafficExtension", {"targetRefs": [TARGET]}),
    ],
)
def test_a_module_is_at_the_gateway_that_it_names_and_not_elsewhere(
    kind: str, targets: dict[str, Any], mini: MiniMesh, module: str
):
    spec = {"wasm": {"url": module}} if kind == "TrafficExtension" else {"url": module}
    plugins = with_plugin("named", kind, **spec, **targets).plugins
    mini.serve(replace(mesh_of(EDGE_DOCUMENTS), plugins=plugins))
    until(lambda: ask(mini, edge=True).headers.get("x-wasm") == "was here")
    assert "x-wasm" not in call(mini).headers


@pytest.mark.parametrize(
    ("match", "seen"),
    [
        ({"mode": "CLIENT"}, True),
        ({"mode": "SERVER"}, False),
        ({"mode": "CLIENT", "ports": [{"number": 9080}]}, True),
        ({"mode": "CLIENT", "ports": [{"number": 9081}]}, False),
    ],
)
def test_a_module_sees_the_traffic_that_it_matches(match: dict[str, Any], seen: bool, mini: MiniMesh, module: str):
    mini.serve(with_plugin("matched", url=module, selector=WEB, match=[match]))
    # A connection between proxies that is left from before answers once more, then it is closed.
    until(lambda: ("x-wasm" in call(mini).headers) is seen)


def test_a_module_for_bytes_stands_before_the_requests(mini: MiniMesh, module: str):
    mini.serve(with_plugin("bytes", url=module, selector=WEB, type="NETWORK"))
    assert call(mini).status == 200


@pytest.mark.parametrize(("strategy", "status"), [("FAIL_OPEN", 200), ("FAIL_CLOSE", 500)])
def test_a_module_that_is_not_there_costs_what_its_strategy_says_and_no_listener(
    strategy: str, status: int, mini: MiniMesh
):
    name = strategy.lower().replace("_", "-")
    mini.prepare(with_plugin(name, url="file:///nowhere/it.wasm", selector=WEB, failStrategy=strategy))
    until(lambda: f"wasmplugin|shop|{name}" in mini.client.ask("/config_dump?resource=dynamic_listeners"))
    mini.warm()
    assert call(mini).status == status
