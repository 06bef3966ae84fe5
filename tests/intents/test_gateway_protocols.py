"""Protocols through a real gateway and real sidecars: what a client and an application say to each other arrives."""

import contextlib
import http.client
import json
import socket
import ssl
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from tests.intents.applications import GREETING
from tests.intents.http3 import get_by_http3
from tests.intents.intent import mesh_of
from tests.intents.minimesh import OUTSIDE, SECURE, MiniMesh, until
from tests.intents.rig import trusting_anyone
from weft.model.settings import GatewayTopology
from weft.view.node import Outlet

pytestmark = pytest.mark.live

FILES = "serverCertificate: /tls/server-chain.pem, privateKey: /tls/server-key.pem"
GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  selector: {istio: edge}
  servers:
    - {port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}
    - {port: {number: 9000, name: tcp, protocol: TCP}, hosts: ["*"]}
    - {port: {number: 443, name: https, protocol: HTTPS}, hosts: [secure.example.com], tls: {mode: SIMPLE, FILES}}
    - port: {number: 443, name: https-mutual, protocol: HTTPS}
      hosts: [mutual.example.com]
      tls: {mode: MUTUAL, caCertificates: /tls/ca.pem, FILES}
    - port: {number: 443, name: https-optional, protocol: HTTPS}
      hosts: [optional.example.com]
      tls: {mode: OPTIONAL_MUTUAL, caCertificates: /tls/ca.pem, FILES}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: rules, namespace: shop}
spec:
  hosts: ["*.example.com"]
  gateways: [edge]
  http: [{route: [{destination: {host: reviews}}]}]
  tcp: [{match: [{port: 9000}], route: [{destination: {host: speaker.example.com}}]}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: speaker, namespace: shop}
spec:
  hosts: [speaker.example.com]
  ports: [{number: 3306, name: mysql, protocol: MYSQL}]
  resolution: STATIC
  endpoints: [{address: 10.0.0.71}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: tunnels, namespace: shop}
spec:
  hosts: [database.tunnels.org, proxy.tunnels.org]
  gateways: [edge, mesh]
  http:
    - match: [{method: {exact: CONNECT}, authority: {prefix: database}}]
      route: [{destination: {host: speaker.example.com}}]
    - match: [{method: {exact: CONNECT}, authority: {prefix: proxy}}]
      route: [{destination: {host: proxy.example.com}}]
    - route: [{destination: {host: reviews}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: proxy, namespace: shop}
spec:
  hosts: [proxy.example.com]
  ports: [{number: 3128, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 10.0.0.72}]
---
apiVersion: v1
kind: Service
metadata: {name: outside, namespace: shop}
spec:
  selector: {app: outside}
  ports: [{name: http, port: 3128}]
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: outside-1, namespace: shop}
spec: {address: 10.0.0.73, labels: {app: outside}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: tunnel, namespace: shop}
spec:
  parentRefs: [{group: "", kind: Service, name: ratings, port: 9080}]
  rules:
    - matches: [{method: CONNECT}]
      backendRefs: [{name: outside, port: 3128}]
    - backendRefs: [{name: ratings, port: 9080}]
""".replace("FILES", FILES)


@pytest.fixture(scope="module")
def mini(mini: MiniMesh) -> MiniMesh:
    outlet = Outlet(host="speaker.example.com", port=3306, bind_port=mini.outlet)
    mini.serve(mesh_of(GATEWAY), outlets=(outlet,))
    return mini


@contextlib.contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        yield connection


def said(connection: socket.socket, request: str) -> http.client.HTTPResponse:
    connection.sendall(request.replace("\n", "\r\n").encode() + b"\r\n")
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response


def answered(response: http.client.HTTPResponse) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(response.read())
    return found


def test_clients_may_come_by_http3_and_are_told_so(mini: MiniMesh):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        connected(mini.edge_port(443)) as plain,
        context.wrap_socket(plain, server_hostname="secure.example.com") as tls,
    ):
        told = said(tls, "GET / HTTP/1.1\nhost: secure.example.com\n")
        assert (told.status, told.headers["alt-svc"]) == (200, 'h3=":443"; ma=86400')
    status, headers, body = get_by_http3(mini.edge_port(443), "secure.example.com", "/quic")
    assert (status, headers["alt-svc"]) == (200, 'h3=":443"; ma=86400')
    seen = json.loads(body)
    assert seen["path"] == "/quic"
    assert seen["headers"]["x-forwarded-proto"] == "https"


def test_a_name_that_no_server_has_finds_nobody_by_http3(mini: MiniMesh):
    with pytest.raises((ConnectionError, TimeoutError)):
        get_by_http3(mini.edge_port(443), "other.example.org", seconds=2)


def test_clients_prove_themselves_by_http3_too(mini: MiniMesh):
    port, mine = mini.edge_port(443), mini.certificate("client")
    assert get_by_http3(port, "mutual.example.com", certificate=mine)[0] == 200
    assert get_by_http3(port, "optional.example.com")[0] == 200
    for shown in (None, mini.certificate("stranger")):
        with pytest.raises((ConnectionError, TimeoutError)):
            get_by_http3(port, "mutual.example.com", certificate=shown, seconds=2)
    with pytest.raises((ConnectionError, TimeoutError)):
        get_by_http3(port, "optional.example.com", certificate=mini.certificate("stranger"), seconds=2)


def test_plaintext_ports_invite_nobody(mini: MiniMesh):
    with connected(mini.edge_port(80)) as client:
        assert "alt-svc" not in said(client, "GET / HTTP/1.1\nhost: a.example.com\n").headers


def test_a_server_that_speaks_first_is_heard_through_a_gateway(mini: MiniMesh):
    with connected(mini.edge_port(9000)) as client, client.makefile("rwb", buffering=0) as talk:
        assert talk.readline() == GREETING
        talk.write(b"hello\n")
        assert talk.readline() == b"you said hello\n"


def test_a_server_that_speaks_first_is_heard_through_a_local_port(mini: MiniMesh):
    with connected(mini.outlet) as client, client.makefile("rwb", buffering=0) as talk:
        assert talk.readline() == GREETING
        talk.write(b"hello\n")
        assert talk.readline() == b"you said hello\n"


@pytest.mark.parametrize("way", ["gateway", "sidecar"])
def test_a_websocket_passes(mini: MiniMesh, way: str):
    port = mini.edge_port(80) if way == "gateway" else mini.proxy
    target = "/" if way == "gateway" else "http://reviews:9080/"
    host = "a.example.com" if way == "gateway" else "reviews:9080"
    request = f"GET {target} HTTP/1.1\nhost: {host}\nconnection: Upgrade\nupgrade: websocket\n"
    with connected(port) as client:
        assert said(client, request).status == 101
        for some in (b"\x81\x05hello", b"\x82\x03abc"):
            client.sendall(some)
            assert client.recv(100) == some


@pytest.mark.parametrize("way", ["gateway", "sidecar"])
def test_events_arrive_when_they_are_sent(mini: MiniMesh, way: str):
    mini.notes.go.clear()
    port = mini.edge_port(80) if way == "gateway" else mini.proxy
    target = "/" if way == "gateway" else "http://reviews:9080/"
    host = "a.example.com" if way == "gateway" else "reviews:9080"
    with connected(port) as client:
        events = said(client, f"GET {target} HTTP/1.1\nhost: {host}\nx-app-events: 2\n")
        assert events.read(len(b"data: first\n\n")) == b"data: first\n\n"
        mini.notes.go.set()
        assert events.read() == b"data: second\n\n"


def test_http_1_0_is_told_to_upgrade_as_in_istio(mini: MiniMesh):
    with connected(mini.edge_port(80)) as client:
        assert said(client, "GET / HTTP/1.0\nhost: a.example.com\n").status == 426


def test_nobody_tunnels_through_a_gateway(mini: MiniMesh):
    with connected(mini.edge_port(80)) as client:
        assert said(client, "CONNECT a.example.com:443 HTTP/1.1\nhost: a.example.com:443\n").status == 404


def test_a_rule_for_tunnels_passes_their_bytes_on(mini: MiniMesh):
    request = "CONNECT database.tunnels.org:5432 HTTP/1.1\nhost: database.tunnels.org:5432\n"
    with connected(mini.edge_port(80)) as client, client.makefile("rwb", buffering=0) as talk:
        client.sendall(request.replace("\n", "\r\n").encode() + b"\r\n")
        assert talk.readline().split()[1] == b"200"
        while talk.readline().strip():
            pass
        assert talk.readline() == GREETING
        talk.write(b"hello\n")
        assert talk.readline() == b"you said hello\n"


@pytest.mark.parametrize(
    ("way", "asked"), [("gateway", "proxy.tunnels.org:443"), ("sidecar", "ratings:9080")], ids=["gateway", "sidecar"]
)
def test_a_rule_for_tunnels_passes_them_on_to_another_proxy(mini: MiniMesh, way: str, asked: str):
    with connected(mini.edge_port(80) if way == "gateway" else mini.proxy) as client:
        assert said(client, f"CONNECT {asked} HTTP/1.1\nhost: {asked}\n").status == 200
        inside = answered(said(client, "GET /inside HTTP/1.1\nhost: a.example.org\n"))
    assert inside["path"] == "/inside"
    assert inside["headers"]["x-app-tunnel"] == asked


def test_what_is_no_tunnel_takes_the_other_rules_of_its_host(mini: MiniMesh):
    with connected(mini.edge_port(80)) as client:
        found = said(client, "GET / HTTP/1.1\nhost: database.tunnels.org\n")
        assert (found.status, answered(found)["application"][:7]) == (200, "reviews")


def test_nobody_tunnels_through_a_sidecars_proxy(mini: MiniMesh):
    with connected(mini.proxy) as client:
        request = "CONNECT speaker.example.com:3306 HTTP/1.1\nhost: speaker.example.com:3306\n"
        assert said(client, request).status in (404, 502)


def test_a_long_stream_of_bytes_is_not_ended_by_a_change_elsewhere(mini: MiniMesh):
    """A connection through a gateway's port stays while rules of another port change."""
    outlet = Outlet(host="speaker.example.com", port=3306, bind_port=mini.outlet)
    with connected(mini.edge_port(9000)) as client, client.makefile("rwb", buffering=0) as talk:
        assert talk.readline() == GREETING
        mini.serve(mesh_of(GATEWAY.replace("{host: reviews}", "{host: ratings}")), outlets=(outlet,))
        talk.write(b"still there\n")
        assert talk.readline() == b"you said still there\n"
    mini.serve(mesh_of(GATEWAY), outlets=(outlet,))


HEADERS = {
    "v1": b"PROXY TCP4 203.0.113.7 10.0.0.1 5555 80\r\n",
    "v2": b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes([203, 0, 113, 7, 10, 0, 0, 1]) + b"\x15\xb3\x00\x50",
}


@pytest.fixture
def behind_a_balancer(mini: MiniMesh) -> Iterator[MiniMesh]:
    """The gateway's connections begin with a PROXY header, as one proxy before it adds to x-forwarded-for too."""
    mesh = mesh_of(GATEWAY)
    settings = replace(mesh.settings, topology=GatewayTopology(proxy_protocol=True))
    mini.serve(replace(mesh, settings=settings))
    yield mini
    outlet = Outlet(host="speaker.example.com", port=3306, bind_port=mini.outlet)
    mini.serve(mesh, outlets=(outlet,))


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_balancer_says_who_the_client_is(behind_a_balancer: MiniMesh, version: str):
    def arrives() -> bool:
        with connected(behind_a_balancer.edge_port(80)) as client:
            client.sendall(HEADERS[version])
            response = said(client, "GET / HTTP/1.1\nhost: a.example.com\n")
            return response.status == 200 and answered(response)["headers"]["x-forwarded-for"] == "203.0.113.7"

    until(arrives)


def test_a_connection_that_does_not_begin_with_the_header_is_closed(behind_a_balancer: MiniMesh):
    def closed() -> bool:
        with connected(behind_a_balancer.edge_port(80)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nhost: a.example.com\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                return client.recv(1) == b""
            return True

    until(closed)


WILD = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  selector: {istio: edge}
  servers: [{port: {number: 443, name: tls, protocol: TLS}, hosts: ["*.localhost"], tls: {mode: PASSTHROUGH}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: wild, namespace: shop}
spec:
  hosts: ["*.localhost"]
  ports: [{number: PORT, name: tls, protocol: TLS}]
  resolution: DYNAMIC_DNS
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: wild, namespace: shop}
spec:
  hosts: ["*.localhost"]
  gateways: [edge]
  tls:
    - match: [{sniHosts: ["*.localhost"]}]
      route: [{destination: {host: "*.localhost", port: {number: PORT}}}]
"""


def test_every_host_under_a_domain_is_reached_by_the_name_that_is_asked_for(mini: MiniMesh):
    mini.serve(mesh_of(WILD.replace("PORT", str(mini.application(SECURE)))))
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name in ("one.localhost", "two.localhost"):
        with connected(mini.edge_port(443)) as plain, context.wrap_socket(plain, server_hostname=name) as tls:
            seen = answered(said(tls, f"GET / HTTP/1.1\nhost: {name}\n"))
            assert seen["headers"]["x-app-sni"] == name
    with connected(mini.edge_port(443)) as plain, pytest.raises((ConnectionError, ssl.SSLError)):
        context.wrap_socket(plain, server_hostname="example.org")


@pytest.mark.parametrize("host", ["*.localhost", "one.localhost"])
def test_a_local_port_leads_to_hosts_under_a_domain_by_the_name_that_is_asked_for(mini: MiniMesh, host: str):
    number = mini.application(SECURE)
    entry = next(one for one in WILD.split("---\n") if "ServiceEntry" in one).replace("PORT", str(number))
    mini.serve(mesh_of(entry), outlets=(Outlet(host=host, port=number, bind_port=mini.outlet),))
    context = trusting_anyone()
    with connected(mini.outlet) as plain, context.wrap_socket(plain, server_hostname="one.localhost") as tls:
        assert answered(said(tls, "GET / HTTP/1.1\nhost: a\n"))["headers"]["x-app-sni"] == "one.localhost"
    for name in ("example.org", "localhost", *(["two.localhost"] if host != "*.localhost" else [])):
        with connected(mini.outlet) as plain, pytest.raises((ConnectionError, ssl.SSLError)):
            context.wrap_socket(plain, server_hostname=name)


DEFAULTS = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  selector: {istio: edge}
  servers:
    - {port: {number: 80, name: http, protocol: HTTP}, hosts: [a.example.com], defaultEndpoint: "127.0.0.1:PORT"}
    - {port: {number: 9000, name: tcp, protocol: TCP}, hosts: ["*"], defaultEndpoint: "127.0.0.1:PORT"}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: rules, namespace: shop}
spec:
  hosts: [a.example.com]
  gateways: [edge]
  http: [{match: [{uri: {prefix: /ratings}}], route: [{destination: {host: ratings}}]}]
"""


def test_what_no_rule_takes_goes_to_an_endpoint_of_the_gateways_own_host(mini: MiniMesh):
    mini.serve(mesh_of(DEFAULTS.replace("PORT", str(mini.application(OUTSIDE)))))
    for port, path, application in ((80, "/ratings", "ratings-v1"), (80, "/else", OUTSIDE), (9000, "/", OUTSIDE)):
        with connected(mini.edge_port(port)) as client:
            response = said(client, f"GET {path} HTTP/1.1\nhost: a.example.com\n")
            assert answered(response)["application"] == application
