"""Two real sidecars with mutual TLS between them, and requests through both."""

import contextlib
import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.compiler.certificates import Authority
from tests.compiler.sidecars import Answer, Sidecar, application, get, sidecar
from tests.view.meshes import forward, fqdn, inlet, mesh, node, origin, outlet, rule, service, table, to, workload
from weft.compiler.resources import resources_of
from weft.model.match import Exact, HeaderMatch, HttpMatch
from weft.model.mesh import Mesh
from weft.model.route import Abort, Fault
from weft.model.security import MtlsMode, PeerPolicy
from weft.model.service import Port, Protocol
from weft.model.settings import Settings
from weft.view.build import view_of

pytestmark = pytest.mark.live

URL = "http://reviews:9080/reviews/1"
STRICT = PeerPolicy(origin=origin(), namespace="shop", mode=MtlsMode.STRICT)


class Shop:
    """A caller ``web`` with its HTTP proxy, and ``reviews`` behind a sidecar."""

    def __init__(self, directory: Path, authority: Authority, free_port: Callable[[], int]) -> None:
        self._directory = directory
        self._authority = authority
        self.proxy, self.inbound, self.upstream = free_port(), free_port(), free_port()

    def mesh(self, **changes: object) -> Mesh:
        """The mesh; reviews answers at the sidecar's inbound port."""
        here = workload("reviews", ports=(("http-9080", self.inbound), ("tcp-9090", self.inbound)))
        return mesh(service("reviews"), workloads=[here, workload("web")], **changes)

    @contextlib.contextmanager
    def server(self, found: Mesh, app_port: int, port: int = 9080, **changes: object) -> Iterator[Sidecar]:
        """The sidecar of reviews."""
        one = replace(inlet(port, bind_port=self.inbound, app_port=app_port), **changes)
        with self._run(found, "reviews", inlets=[one], http_proxy=None) as running:
            yield running

    @contextlib.contextmanager
    def caller(self, found: Mesh, port: int = 9080) -> Iterator[Sidecar]:
        """The sidecar of web."""
        local = ("127.0.0.1", self.proxy)
        with self._run(found, "web", outlets=[outlet("reviews", port, self.upstream)], http_proxy=local) as running:
            yield running

    def connected(self) -> socket.socket:
        """A connection to the local port that stands for reviews."""
        return socket.create_connection(("127.0.0.1", self.upstream), 10)

    @contextlib.contextmanager
    def _run(self, found: Mesh, app: str, **of_node: object) -> Iterator[Sidecar]:
        secrets = self._authority.secrets(f"spiffe://cluster.local/ns/shop/sa/{app}")
        resources = resources_of(view_of(found, node(app, **of_node)))
        with sidecar(resources, self._directory / app, secrets) as running:
            yield running


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def shop(tmp_path: Path, authority: Authority, free_port: Callable[[], int]) -> Shop:
    return Shop(tmp_path, authority, free_port)


def test_a_request_crosses_both_sidecars_over_http2_and_mutual_tls(shop):
    found = shop.mesh(peer_policies=(STRICT,))
    with application() as app, shop.server(found, app) as server, shop.caller(found) as caller:
        answer = get(shop.proxy, URL, **{"x-forwarded-client-cert": "URI=spiffe://cluster.local/ns/shop/sa/admin"})
        assert answer.status == 200
        assert answer.seen["path"] == "/reviews/1"
        assert answer.header("host") == "reviews:9080"
        assert _caller(answer) == "spiffe://cluster.local/ns/shop/sa/web"
        name = f"cluster.outbound|9080||{fqdn('reviews').replace('.', '_')}"
        assert caller.statistic(f"{name}.upstream_cx_http2_total") == 1
        assert caller.statistic(f"{name}.ssl.versions.TLSv1.3") == 1
        assert server.statistic("http.inbound_9080.downstream_rq_2xx") == 1


def test_the_same_service_answers_at_its_local_port_and_by_every_name(shop):
    found = shop.mesh()
    with application() as app, shop.server(found, app), shop.caller(found):
        assert get(shop.upstream, "/direct").status == 200
        for name in ("reviews", "reviews.shop", "reviews.shop.svc", "reviews.shop.svc.cluster.local", "REVIEWS"):
            assert get(shop.proxy, f"http://{name}:9080/").status == 200


def test_strict_refuses_plaintext_and_permissive_takes_it(shop):
    with application() as app:
        with shop.server(shop.mesh(peer_policies=(STRICT,)), app), pytest.raises((OSError, http.client.HTTPException)):
            get(shop.inbound, "/")
        with shop.server(shop.mesh(), app):
            answer = get(shop.inbound, "/", **{"x-forwarded-client-cert": "URI=spiffe://cluster.local/ns/shop/sa/web"})
            assert answer.status == 200
            assert answer.header("x-forwarded-client-cert") is None


def test_a_server_with_another_identity_is_not_trusted(shop):
    found = shop.mesh()
    impostor = workload("reviews", account="ledger", ports=(("http-9080", shop.inbound),))
    with application() as app, shop.server(found, app), shop.caller(replace(found, workloads=(impostor,))):
        assert get(shop.proxy, URL).status == 503


def test_plain_endpoints_are_called_in_plaintext_beside_meshed_ones(shop):
    with application() as plain, application() as app:
        found = shop.mesh()
        outside = workload("reviews", "127.0.0.1", meshed=False, version="v0", ports=(("http-9080", plain),))
        found = replace(found, workloads=(*found.workloads, outside), peer_policies=(STRICT,))
        with shop.server(found, app), shop.caller(found):
            answers = [get(shop.proxy, URL) for _ in range(40)]
    assert {answer.status for answer in answers} == {200}
    assert {_caller(answer) for answer in answers} == {None, "spiffe://cluster.local/ns/shop/sa/web"}


def test_a_fault_and_a_header_route_do_what_they_say(shop):
    only_jason = HttpMatch(headers=(HeaderMatch(name="end-user", match=Exact(value="jason")),))
    routes = table(
        fqdn("reviews"),
        rule(forward(to(fqdn("reviews"))), only_jason, fault=Fault(abort=Abort(http_status=418, percent=100))),
        rule(forward(to(fqdn("reviews")))),
    )
    found = shop.mesh(route_tables=(routes,))
    with application() as app, shop.server(found, app), shop.caller(found):
        for port, url in ((shop.proxy, URL), (shop.upstream, "/")):
            assert get(port, url, **{"end-user": "jason"}).status == 418
            assert get(port, url).status == 200


def test_unknown_hosts_pass_through_once_and_never_round(shop):
    found = shop.mesh()
    with application() as outside, shop.caller(found):
        answer = get(shop.proxy, f"http://localhost:{outside}/page")
        assert (answer.status, answer.seen["path"]) == (200, "/page")
        assert get(shop.proxy, f"http://localhost:{shop.proxy}/page").status == 508


def test_unknown_hosts_are_refused_where_the_registry_is_all_there_is(shop):
    with application() as outside, shop.caller(shop.mesh(settings=Settings(allow_any=False))):
        assert get(shop.proxy, f"http://localhost:{outside}/page").status == 502


def test_a_websocket_goes_through_both_sidecars(shop):
    found = shop.mesh()
    with _echo_after_upgrade() as app, shop.server(found, app), shop.caller(found), shop.connected() as connection:
        connection.sendall(
            b"GET /chat HTTP/1.1\r\nHost: reviews\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        head = _until(connection, b"\r\n\r\n")
        assert b" 101 " in head.split(b"\r\n")[0]
        connection.sendall(b"hello")
        assert _until(connection, b"hello").endswith(b"hello")


def test_tcp_crosses_under_mutual_tls(shop):
    port = Port(number=9090, name="tcp-9090", protocol=Protocol.TCP)
    found = replace(shop.mesh(peer_policies=(STRICT,)), services={fqdn("reviews"): service("reviews", port)})
    with _echo() as app, shop.server(found, app, 9090, protocol=Protocol.TCP) as server, shop.caller(found, 9090):
        with shop.connected() as connection:
            connection.sendall(b"ledger")
            assert _until(connection, b"ledger") == b"ledger"
        assert server.statistic(f"listener.inbound_127_0_0_1_{shop.inbound}.ssl.handshake") == 1


def _caller(answer: Answer) -> str | None:
    """Who the server's sidecar says has called."""
    said = answer.header("x-forwarded-client-cert")
    return said.rpartition("URI=")[2] if said else None


def _until(connection: socket.socket, end: bytes) -> bytes:
    received = b""
    while not received.endswith(end):
        more = connection.recv(4096)
        assert more, received
        received += more
    return received


def _echo() -> contextlib.AbstractContextManager[int]:
    return _serve(lambda connection: None)


def _echo_after_upgrade() -> contextlib.AbstractContextManager[int]:
    def upgrade(connection: socket.socket) -> None:
        _until(connection, b"\r\n\r\n")
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")

    return _serve(upgrade)


@contextlib.contextmanager
def _serve(greet: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server of one connection at a time that greets and then echoes."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError, AssertionError):
            while True:
                connection, _ = listening.accept()
                with connection, contextlib.suppress(OSError, AssertionError):
                    greet(connection)
                    while data := connection.recv(4096):
                        connection.sendall(data)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)
