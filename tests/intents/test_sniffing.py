"""Ports whose protocol nothing tells: requests are found in the first bytes, everything else passes."""

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.intents.minimesh import MiniMesh
from tests.intents.rig import mesh_of
from weft.model.mesh import Mesh
from weft.view.node import Outlet

pytestmark = pytest.mark.live

THINGS = """
apiVersion: v1
kind: Service
metadata: {name: things, namespace: shop}
spec:
  selector: {app: SELECTED}
  clusterIP: 10.96.0.9
  ports: [{port: 7000, targetPort: 9080}]
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: things-1, namespace: shop}
spec: {address: 10.0.0.77, labels: {app: things}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: things, namespace: shop}
spec:
  hosts: [things]
  http:
    - match: [{uri: {prefix: /old}}]
      rewrite: {uri: /new}
      route: [{destination: {host: things}}]
    - route: [{destination: {host: things}}]
"""
GREETING = b"220 hello\r\n"


def serve(mini: MiniMesh, selected: str = "things") -> Mesh:
    outlets = (Outlet(host="things", port=7000, bind_port=mini.outlet),)
    return mini.serve(mesh_of(THINGS.replace("SELECTED", selected)), outlets=outlets)


@pytest.fixture
def speaker(mini: MiniMesh, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In the place of the workload: it greets, and sends back what it gets."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setitem(mini.applications, "outside", server.getsockname()[1])

        def speak() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.sendall(GREETING)
                        connection.sendall(connection.recv(100))

        thread = threading.Thread(target=speak, daemon=True)
        thread.start()
        yield
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.mark.parametrize("selected", ["things", "reviews"])
@pytest.mark.parametrize("proxied", [True, False])
def test_requests_are_found_and_follow_the_rules_for_requests(selected: str, proxied: bool, mini: MiniMesh):
    serve(mini, selected)
    port, place = (mini.proxy, "http://things:7000/old/a") if proxied else (mini.outlet, "/old/a")
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", place, headers={"Host": "things:7000"})
        assert json.loads(connection.getresponse().read())["path"] == "/new/a"


def test_bytes_that_are_no_request_pass(mini: MiniMesh, speaker: None):
    serve(mini)
    with socket.create_connection(("127.0.0.1", mini.outlet), timeout=20) as connection:
        connection.sendall(b"\x00\x01binary\xff")
        received = b""
        while len(received) < len(GREETING) + 9:
            received += connection.recv(100)
    assert received == GREETING + b"\x00\x01binary\xff"


def test_a_server_that_speaks_first_is_heard_when_nobody_else_speaks(mini: MiniMesh, speaker: None):
    serve(mini)
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", mini.outlet), timeout=20) as connection:
        assert connection.recv(100) == GREETING
    assert 4 < time.monotonic() - started < 10
