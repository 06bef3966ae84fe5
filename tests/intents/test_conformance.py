"""What Gateway API's conformance suite asks: the table of our own cases is true; and those that take several steps."""

import contextlib
import http.client
import re
import socket

import grpc
import pytest

from tests.dialects.documents import checked, document, linked
from tests.intents.intent import HERE, Intent, intents
from tests.intents.minimesh import MiniMesh, until
from tests.intents.proofs import ROOT
from tests.intents.rig import Got, ask, grpc_service, mesh_of
from weft.dialects.features import FEATURES

PAGE = ROOT / "docs" / "gateway-api.md"
_ROW = re.compile(r"^\| `(\w+)` \| (.+) \|$", re.MULTILINE)
_CASE = re.compile(r"`([^`]+)`")
ROWS = dict(_ROW.findall(PAGE.read_text().partition("## The conformance suite")[2]))
NOT_FOR_WEFT = "not for weft: "


@pytest.mark.parametrize("name", ROWS)
def test_each_line_of_the_table_names_cases_that_are_there(name: str):
    said = ROWS[name]
    if said.startswith(NOT_FOR_WEFT):
        return
    cases = _CASE.findall(said)
    assert cases, said
    for case in cases:
        module, _, test = case.partition("::")
        assert (HERE / case).is_dir() or f"def {test}(" in (ROOT / module).read_text(), case


def test_every_feature_that_classes_name_has_a_case():
    """The suite calls its tests as the features, or begins their names so."""
    tried = {name for name, said in ROWS.items() if not said.startswith(NOT_FOR_WEFT)}
    assert len(tried) > 130
    for feature in ("TLSRouteModeTerminate", "UDPRoute", "ListenerSet", "HTTPRouteCORS", "BackendTLSPolicy"):
        assert feature in FEATURES


def test_a_name_may_be_as_long_as_names_may_be():
    name = "a" * 63 + ".b" * 95
    assert len(name) == 253
    assert not checked("Gateway.gateway.networking.k8s.io", LISTENERS, name=name)
    found = linked(document("Gateway.gateway.networking.k8s.io", LISTENERS, name))
    assert [one.name for one in found.gateways] == [name]


LISTENERS = "gatewayClassName: weft\nlisteners: [{name: http, port: 80, protocol: HTTP}]"


GATEWAY = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  gatewayClassName: weft
  listeners: [LISTENERS]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop, namespace: shop}
spec:
  parentRefs: [{name: edge}]
  rules: [{backendRefs: [{name: BACKEND}]}]
---
"""
ONE = "{name: one, port: 80, protocol: HTTP}"
TWO = "{name: two, port: 8443, protocol: HTTP}"


def served(mini: MiniMesh, listeners: str, backend: str = "ratings, port: 9080", more: str = "") -> None:
    mini.serve(mesh_of(GATEWAY.replace("LISTENERS", listeners).replace("BACKEND", backend) + more))


def status(mini: MiniMesh, port: int) -> int:
    """0 where nothing listens."""
    connection = http.client.HTTPConnection("127.0.0.1", mini.edge_port(port), timeout=10)
    with contextlib.closing(connection), contextlib.suppress(ConnectionError):
        connection.request("GET", "/", headers={"host": "shop.example.com"})
        return connection.getresponse().status
    return 0


@pytest.mark.live
def test_listeners_come_and_go(mini: MiniMesh):
    served(mini, ONE)
    assert [status(mini, port) for port in (80, 8443)] == [200, 0]
    served(mini, f"{ONE}, {TWO}")
    until(lambda: [status(mini, port) for port in (80, 8443)] == [200, 200])
    served(mini, TWO)
    until(lambda: [status(mini, port) for port in (80, 8443)] == [0, 200])


PLAIN = """
apiVersion: v1
kind: Service
metadata: {name: plain, namespace: shop}
spec: {selector: {app: plain}, ports: [{name: any, port: 9000, appProtocol: PROTOCOL}]}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: plain-1, namespace: shop}
spec: {address: 10.0.0.81, labels: {app: plain}}
"""


@pytest.mark.live
def test_a_backend_of_http_2_in_plaintext_is_spoken_to_so(mini: MiniMesh):
    handler = grpc.unary_unary_rpc_method_handler(lambda request, _: request)
    with grpc_service(mini, "shop.Greeter", Greet=handler):
        served(mini, ONE, "plain, port: 9000", PLAIN.replace("PROTOCOL", "kubernetes.io/h2c"))
        until(
            lambda: ask(mini, "POST", "/shop.Greeter/Greet", edge=True, content_type="application/grpc").status == 200
        )


@pytest.mark.live
def test_a_backend_of_web_sockets_gets_them(mini: MiniMesh):
    served(mini, ONE, "plain, port: 9000", PLAIN.replace("PROTOCOL", "kubernetes.io/ws"))
    with socket.create_connection(("127.0.0.1", mini.edge_port(80)), 10) as client:
        upgrade = (
            "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: YQ==\r\n"
        )
        client.sendall(f"GET / HTTP/1.1\r\nhost: shop.example.com\r\n{upgrade}\r\n".encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 101 ")
        client.sendall(b"any bytes")
        assert client.recv(1000) == b"any bytes"


@pytest.mark.live
def test_rules_of_a_service_hold_for_its_address(mini: MiniMesh):
    (one,) = (one for one in intents() if one.name == "edge_service_types")
    assert isinstance(one, Intent)
    mini.serve(one.mesh())
    connection = http.client.HTTPConnection("127.0.0.1", mini.proxy, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "http://10.96.0.9/", headers={"Host": "10.96.0.9"})
        got = Got(connection.getresponse())
    assert (got.status, got.headers["x-by"]) == (200, "address")
