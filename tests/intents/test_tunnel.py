"""Connections through a proxy that is asked by POST: bytes go to and fro in the bodies."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import suppress
from socket import create_connection

import pytest

from tests.intents.minimesh import MiniMesh
from tests.intents.rig import mesh_of
from weft.view.node import Outlet

pytestmark = pytest.mark.live

DOCUMENTS = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: proxy, namespace: shop}
spec:
  hosts: [proxy.example.com]
  ports: [{number: 3128, name: tcp, protocol: TCP}]
  resolution: STATIC
  endpoints: [{address: 10.0.0.99}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: proxy, namespace: shop}
spec:
  host: proxy.example.com
  trafficPolicy:
    tunnel: {protocol: POST, targetHost: far.example.com, targetPort: 9443}
"""


class _Proxy(socketserver.StreamRequestHandler):
    """Takes a POST without an end, and says each piece of its body again."""

    server: "_Server"

    def handle(self) -> None:
        with suppress(ConnectionError, ValueError):
            while line := self.rfile.readline().decode().strip().lower():
                self.server.asked.append(line)
            self.wfile.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            while size := int(self.rfile.readline(), 16):
                said = b"you said " + self.rfile.read(size)
                self.rfile.readline()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(said), said))


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    asked: list[str]


@pytest.fixture
def proxy(mini: MiniMesh, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Server]:
    with _Server(("127.0.0.1", 0), _Proxy) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        monkeypatch.setitem(mini.applications, "outside", server.server_address[1])
        yield server
        server.shutdown()
        thread.join()


def test_bytes_travel_in_the_bodies_of_a_request_and_its_answer(mini: MiniMesh, proxy: _Server) -> None:
    mini.serve(mesh_of(DOCUMENTS), outlets=(Outlet(host="proxy.example.com", port=3128, bind_port=mini.outlet),))
    with create_connection(("127.0.0.1", mini.outlet), 10) as client:
        for said in (b"one", b"two"):
            client.sendall(said)
            assert client.recv(100) == b"you said " + said
    assert proxy.asked[0] == "post / http/1.1"
    assert "host: far.example.com:9443" in proxy.asked
