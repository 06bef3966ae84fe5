"""Access policies at a gateway: the same verdicts, where clients come from outside."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.authorization.callers import Outcome, Request, call
from tests.authorization.cases import CASES, mesh_of, needs_data, settings_of
from tests.authorization.random_policies import policy
from tests.authorization.rig import Rig, application
from tests.authorization.test_cases import expected, right
from tests.intents.control import Control
from tests.intents.minimesh import _envoy, _is_warm, until
from tests.ports import held_port
from tests.xds.certificates import Root
from weft.compiler.resources import resources_of
from weft.model.identity import Identity
from weft.model.mesh import Mesh
from weft.model.settings import Settings
from weft.view.build import view_of
from weft.view.node import GatewayPlace, Node

pytestmark = needs_data
PLAIN = Settings(root_namespace="mesh-system")
GATEWAYS = [case for case in CASES["cases"] if case.get("target", {}).get("kind") == "gateway"]
OPENED = 80


class Edge:
    """A gateway and the application behind it."""

    def __init__(self, control: Control, node: Node, app: int, port: int) -> None:
        self.control, self.node, self.app, self.port = control, node, app, port
        self.rig: Rig

    def mesh(self, documents: list[dict[str, Any]], settings: Settings = PLAIN) -> Mesh:
        return mesh_of([*_routed(self.app), *documents], settings)

    def serve(self, documents: list[dict[str, Any]], settings: Settings = PLAIN) -> None:
        self.control.offer({self.node.id: resources_of(view_of(self.mesh(documents, settings), self.node))})
        until(lambda: _is_warm(self.rig.sidecar))

    def call(self, **parts: Any) -> Outcome:
        return call(Request(port=self.port, certificate=None, **parts))


def _routed(app: int) -> list[dict[str, Any]]:
    server = {"port": {"number": OPENED, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
    gateway = {"selector": {"app": "edge"}, "servers": [server]}
    destination = {"destination": {"host": "httpbin.example.com", "port": {"number": 80}}}
    service = {
        "hosts": ["httpbin.example.com"],
        "resolution": "STATIC",
        "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "endpoints": [{"address": "127.0.0.1", "ports": {"http": app}}],
    }
    table = {"hosts": ["*"], "gateways": ["edge"], "http": [{"route": [destination]}]}
    kinds = (("Gateway", "edge", gateway), ("ServiceEntry", "httpbin", service), ("VirtualService", "all", table))
    return [
        {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        for kind, name, spec in kinds
    ]


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    directory = tmp_path_factory.mktemp("edge")
    with contextlib.ExitStack() as stack:
        app, port = stack.enter_context(application()), stack.enter_context(held_port())
        node = Node(
            id="edge.foo",
            namespace="foo",
            workload="edge",
            identity=Identity(trust_domain="cluster.local", namespace="foo", account="edge"),
            labels=(("app", "edge"),),
            gateway=GatewayPlace(bind="127.0.0.1", port_offset=port - OPENED),
        )
        control = Control(Root(), {node.id: node.identity.uri}, directory / "sds.sock", directory)
        xds = control.start()
        stack.callback(control.stop)
        made = Edge(control, node, app, port)
        control.prepare({node.id: resources_of(view_of(made.mesh([]), node))})
        made.rig = Rig(control, node, {}, directory)
        made.rig.sidecar = stack.enter_context(_envoy(node, control, xds, directory, workers=1))
        made.rig.sidecar.wait()
        until(lambda: made.call().verdict == "allow")
        yield made


def test_what_decides_comes_with_the_routes_of_a_gateway_too(edge: Edge) -> None:
    edge.serve([policy("d", "DENY", [{"to": [{"operation": {"paths": ["/admin*"], "ports": ["80"]}}]}])])
    assert edge.call(path="/admin").verdict == "deny"
    assert edge.call(path="/x/..//admin").verdict == "deny"
    assert edge.call(path="/x").verdict == "allow"
    edge.serve([policy("a", "ALLOW", [{"from": [{"source": {"principals": ["*"]}}]}])])
    assert edge.call(path="/x").verdict == "deny"
    edge.serve([])
    assert edge.call(path="/admin").verdict == "allow"


def test_the_policies_of_other_workloads_do_not_hold_at_a_gateway(edge: Edge) -> None:
    other = policy("d", "DENY", [{}])
    other["spec"]["selector"] = {"matchLabels": {"app": "httpbin"}}
    edge.serve([other])
    assert edge.call().verdict == "allow"


@pytest.mark.parametrize("hardened", [False, True], ids=["istio", "hardened"])
@pytest.mark.parametrize("case", GATEWAYS, ids=[case["id"] for case in GATEWAYS])
def test_a_request_at_a_gateway_gets_the_documented_verdict(case: dict[str, Any], hardened: bool, edge: Edge) -> None:
    edge.serve(case["resources"], settings_of(case, hardened=hardened))
    for said in case["requests"]:
        headers = tuple((name, value) for name, value in said.get("headers", ()))
        outcome = edge.call(path=said.get("path", "/"), headers=headers)
        assert right(outcome, expected(case, said, hardened=hardened)), (said, outcome)
        assert not set(said.get("upstream_headers_absent", ())) & dict(outcome.headers).keys(), outcome
