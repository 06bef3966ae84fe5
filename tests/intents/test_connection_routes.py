"""TLSRoute, TCPRoute and UDPRoute of Gateway API, at a real gateway and in a real sidecar."""

import contextlib
import http.client
import json
import select
import socket
import ssl

import pytest

from tests.intents.intent import EDGE, caller, mesh_of
from tests.intents.minimesh import MiniMesh, until
from tests.intents.rig import trusting_anyone
from weft.compiler.resources import resources_of
from weft.explain.call import parse_call
from weft.explain.walk import explain
from weft.view.build import view_of
from weft.view.node import Outlet

DOCUMENTS = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  gatewayClassName: weft
  listeners:
    - {name: pass, port: 443, protocol: TLS, hostname: "*.example.com", tls: {mode: Passthrough}}
    - {name: tcp, port: 9000, protocol: TCP}
    - {name: udp, port: 9000, protocol: UDP}
    - {name: shared, port: 8443, protocol: UDP}
    - {name: broken, port: 8443, protocol: TCP}
---
apiVersion: gateway.networking.k8s.io/v1
kind: TLSRoute
metadata: {name: secure, namespace: shop}
spec:
  parentRefs: [{name: edge}]
  hostnames: [secure.example.com]
  rules: [{backendRefs: [{name: secure, port: 443}]}]
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TCPRoute
metadata: {name: bytes, namespace: shop}
spec:
  parentRefs: [{name: edge, sectionName: tcp}]
  rules: [{backendRefs: [{name: bytes, port: 9000}]}]
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TCPRoute
metadata: {name: broken, namespace: shop}
spec:
  parentRefs: [{name: edge, sectionName: broken}]
  rules: [{backendRefs: [{name: nothing, port: 9000}]}]
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: UDPRoute
metadata: {name: packets, namespace: shop}
spec:
  useDefaultGateways: None
  parentRefs: [{name: edge, sectionName: udp}]
  rules: [{backendRefs: [{name: packets, port: 53}]}]
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: UDPRoute
metadata: {name: shares, namespace: shop}
spec:
  parentRefs: [{name: edge, sectionName: shared}]
  rules:
    - backendRefs:
        - {name: packets, port: 53, weight: 3}
        - {name: nobody, port: 53, weight: 1}
        - {name: packets, port: 54, weight: 0}
---
apiVersion: v1
kind: Service
metadata: {name: nobody, namespace: shop}
spec: {selector: {app: nobody}, ports: [{name: dns, port: 53, protocol: UDP}]}
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TCPRoute
metadata: {name: callers, namespace: shop}
spec:
  parentRefs: [{name: bytes, kind: Service, group: ""}]
  rules: [{backendRefs: [{name: other-bytes, port: 9000}]}]
---
apiVersion: v1
kind: Service
metadata: {name: secure, namespace: shop}
spec: {selector: {app: secure}, ports: [{name: tls, port: 443}]}
---
apiVersion: v1
kind: Service
metadata: {name: bytes, namespace: shop}
spec: {selector: {app: ratings}, ports: [{name: tcp, port: 9000}]}
---
apiVersion: v1
kind: Service
metadata: {name: other-bytes, namespace: shop}
spec: {selector: {app: reviews, version: v1}, ports: [{name: tcp, port: 9000}]}
---
apiVersion: v1
kind: Service
metadata: {name: packets, namespace: shop}
spec: {selector: {app: packets}, ports: [{name: dns, port: 53, protocol: UDP}]}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: secure-1, namespace: shop}
spec: {address: 10.0.0.61, labels: {app: secure}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: packets-1, namespace: shop}
spec: {address: 10.0.0.62, labels: {app: packets}}
"""


def outlets(port: int) -> tuple[Outlet, ...]:
    return (Outlet(host="bytes", port=9000, bind_port=port),)


@pytest.fixture(scope="module")
def mini(mini: MiniMesh) -> MiniMesh:
    mini.serve(mesh_of(DOCUMENTS), outlets=outlets(mini.outlet))
    return mini


def answering(connection: socket.socket) -> str:
    """The application behind a connection."""
    connection.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    response = http.client.HTTPResponse(connection)
    response.begin()
    return str(json.loads(response.read())["application"])


@pytest.mark.live
def test_tls_is_passed_on_by_name(mini: MiniMesh):
    context = trusting_anyone()

    def by_name(name: str) -> str:
        with (
            socket.create_connection(("127.0.0.1", mini.edge_port(443)), 10) as plain,
            context.wrap_socket(plain, server_hostname=name) as tls,
        ):
            return answering(tls)

    assert by_name("secure.example.com") == "secure"
    with pytest.raises((ConnectionError, ssl.SSLError)):
        by_name("other.example.com")


@pytest.mark.live
def test_bytes_go_where_the_listeners_route_says(mini: MiniMesh):
    with socket.create_connection(("127.0.0.1", mini.edge_port(9000)), 10) as client:
        assert answering(client) == "ratings-v1"


@pytest.mark.live
def test_a_backend_that_is_not_there_gets_nothing(mini: MiniMesh):
    with socket.create_connection(("127.0.0.1", mini.edge_port(8443)), 10) as client, contextlib.suppress(OSError):
        assert client.recv(1) == b""


@pytest.mark.live
def test_packets_go_to_and_fro(mini: MiniMesh):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        client.connect(("127.0.0.1", mini.edge_port(9000)))
        for said in (b"one", b"two"):
            client.send(said)
            assert client.recv(100) == b"you said " + said


def answers(mini: MiniMesh) -> list[bool]:
    """Whether each of three packets of a client was answered; the gateway counts those that it has nobody for."""
    lost = _lost(mini)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", mini.edge_port(8443)))
        found = []
        for said in (b"one", b"two", b"three"):
            client.send(said)
            until(lambda: _readable(client) or _lost(mini) > lost + found.count(False))
            found.append(_readable(client) and client.recv(100) == b"you said " + said)
        return found


def _readable(client: socket.socket) -> bool:
    return bool(select.select([client], [], [], 0.01)[0])


def _lost(mini: MiniMesh) -> int:
    said = mini.sidecars["edge.shop"].ask("/stats?filter=nobody_shop.*none_healthy")
    return int(said.rpartition(": ")[2])


@pytest.mark.live
def test_clients_are_shared_out_to_the_backends_of_packets(mini: MiniMesh):
    """Each client keeps its backend; of four, three have the one that answers (less than half: once in 2 million)."""
    clients = [answers(mini) for _ in range(80)]
    assert all(len(set(one)) == 1 for one in clients), clients
    assert 40 <= sum(one[0] for one in clients) < 80


def test_shares_of_packets_are_explained():
    resources = resources_of(view_of(mesh_of(DOCUMENTS), caller(EDGE)))
    said = explain(resources, parse_call("GET", "udp://any:8443/"))
    assert [step.what for step in said.steps if step.name == "cluster"] == [
        "75 % to outbound|53||packets.shop.svc.cluster.local",
        "25 % to outbound|53||nobody.shop.svc.cluster.local",
    ]


@pytest.mark.live
def test_callers_follow_the_routes_of_a_service(mini: MiniMesh):
    with socket.create_connection(("127.0.0.1", mini.outlet), 10) as client:
        assert answering(client) == "reviews-v1"


@pytest.mark.parametrize(
    ("of", "url", "cluster"),
    [
        (EDGE, "tls://secure.example.com:443/", "outbound|443||secure.shop.svc.cluster.local"),
        (EDGE, "tcp://any:9000/", "outbound|9000||bytes.shop.svc.cluster.local"),
        (EDGE, "udp://any:9000/", "outbound|53||packets.shop.svc.cluster.local"),
        ("web-1", "tcp://bytes:9000/", "outbound|9000||other-bytes.shop.svc.cluster.local"),
    ],
)
def test_it_is_explained(of: str, url: str, cluster: str):
    resources = resources_of(view_of(mesh_of(DOCUMENTS), caller(of, outlets=outlets(15002))))
    said = explain(resources, parse_call("GET", url))
    assert f"100 % to {cluster}" in [step.what for step in said.steps], said
    assert said.ok


def test_what_is_broken_is_explained():
    resources = resources_of(view_of(mesh_of(DOCUMENTS), caller(EDGE)))
    said = explain(resources, parse_call("GET", "tcp://any:8443/"))
    assert "which does not exist" in said.outcome
    nobody = explain(resources, parse_call("GET", "udp://any:53/"))
    assert nobody.outcome == "the request would fail: no gateway passes on packets of the UDP port 53"
