"""T10: a client from outside wants to wear a gateway out. What costs ends soon, and others are served meanwhile."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
from hpack import Encoder

from tests.intents.minimesh import until
from tests.threats.edge import MOST, Edge, answered, applied

pytestmark = pytest.mark.live
BIG = 50 * 2**20


@pytest.fixture
def measured(front: Edge) -> Iterator[Edge]:
    """Afterwards the gateway lives, serves soon, and needs not much more memory."""
    process = front.gateway.envoy
    before = process.memory_info().rss
    yield front
    began = time.monotonic()
    assert front.get()[0] == 200
    assert time.monotonic() - began < 2
    assert front.gateway.envoy.pid == process.pid
    assert process.memory_info().rss - before < BIG


def client() -> h2.connection.H2Connection:
    config = h2.config.H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False)
    made = h2.connection.H2Connection(config)
    made.initiate_connection()
    return made


HEAD = [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "shop.example.com")]


def ended(connection: socket.socket, seconds: float) -> float:
    """After how many seconds the other side ended it, answered or not; fails if it did not."""
    began = time.monotonic()
    connection.settimeout(seconds)
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        pass
    return time.monotonic() - began


def test_whoever_sends_headers_slowly_is_left(measured: Edge) -> None:
    """At the gateway, and at a sidecar that still takes callers without a certificate."""
    (inbound,) = _inbound_ports(measured)
    head = b"GET / HTTP/1.1\r\nhost: shop.example.com\r\n"
    lasted: dict[str, float] = {}

    def wait(name: str, port: int, begun: bytes, every: bytes) -> None:
        with measured.connect(port) as connection:
            connection.sendall(begun)
            lasted[name] = _trickled(connection, every)

    callers = (
        ("half of a line", measured.port, b"GET / HT", b""),
        ("half of the headers", measured.port, head + b"x: ", b""),
        ("header by header", measured.port, head, b"x: y\r\n"),
        ("a sidecar", inbound, head, b"x: y\r\n"),
    )
    threads = [threading.Thread(target=wait, args=one) for one in callers]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(lasted) == len(callers)
    assert all(8 < seconds < 13 for seconds in lasted.values()), lasted


def _trickled(connection: socket.socket, every: bytes) -> float:
    """After how many seconds a caller that goes on so is left; 14 if never."""
    began = time.monotonic()
    connection.settimeout(0.5)
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - began < 14:
            connection.sendall(every)
            with contextlib.suppress(TimeoutError):
                if not connection.recv(1000):
                    break
    return time.monotonic() - began


def test_too_many_or_too_large_headers_are_refused(measured: Edge) -> None:
    def sent(*lines: bytes) -> int:
        return measured.send(b"\r\n".join([b"GET / HTTP/1.1", b"host: shop.example.com", *lines, b"", b""]))[0]

    assert sent(*(b"x%d: y" % number for number in range(80))) == 200
    assert sent(*(b"x%d: y" % number for number in range(200))) in (0, 431)
    assert sent(b"x: " + b"y" * 70_000) in (0, 431)
    assert sent(*(b"x%d: " % number + b"y" * 6_000 for number in range(50))) in (0, 431)
    assert measured.send(b"GET /" + b"a" * 2**20 + b" HTTP/1.1\r\nhost: shop.example.com\r\n\r\n")[0] in (0, 414, 431)
    endless = b"GET / HTTP/1.1\r\nhost: shop.example.com\r\nx: " + b"y" * 20 * 2**20
    assert measured.send(endless)[0] in (0, 431)


def test_a_client_has_a_hundred_streams_and_small_windows(measured: Edge) -> None:
    with measured.connect() as connection:
        made = client()
        connection.sendall(made.data_to_send())
        while made.remote_settings.max_concurrent_streams > 1000:
            made.receive_data(connection.recv(65536))
        assert made.remote_settings.max_concurrent_streams == 100
        assert made.remote_settings.initial_window_size == 65_536


def test_requests_that_are_taken_back_at_once_end_the_connection(measured: Edge) -> None:
    made = client()
    for number in range(2_000):
        made.send_headers(2 * number + 1, HEAD)
        made.reset_stream(2 * number + 1)
    flood = made.data_to_send()
    for _ in range(3):
        with measured.connect() as connection:
            with contextlib.suppress(ConnectionError):  # it may be ended before all was sent
                connection.sendall(flood)
            assert ended(connection, 5) < 5


def _frames(first: bytes, following: Callable[[], bytes], count: int) -> Iterator[bytes]:
    yield first
    for _ in range(count):
        yield following()


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


FLOODS: dict[str, Callable[[], Iterator[bytes]]] = {
    "headers without an end": lambda: _frames(
        _frame(1, 1, 1, Encoder().encode(HEAD)),
        lambda: _frame(9, 0, 1, Encoder().encode([("x" * 100, "y" * 4000)])),
        4_000,
    ),
    "empty continuations": lambda: _frames(
        _frame(1, 1, 1, Encoder().encode(HEAD)), lambda: _frame(9, 0, 1, b"") * 100, 2_000
    ),
    "settings": lambda: _frames(b"", lambda: _frame(4, 0, 0, b"") * 100, 500),
    "pings": lambda: _frames(b"", lambda: _frame(6, 0, 0, b"12345678") * 100, 500),
    "priorities": lambda: _frames(b"", lambda: _frame(2, 0, 1, b"\0\0\0\0\x10") * 100, 500),
    "empty data": lambda: _frames(_frame(1, 4, 1, Encoder().encode(HEAD)), lambda: _frame(0, 0, 1, b"") * 100, 500),
    "windows": lambda: _frames(b"", lambda: _frame(8, 0, 0, b"\0\0\0\x01") * 100, 500),
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_frames_is_cut_or_cheap(name: str, measured: Edge) -> None:
    with measured.connect() as connection:
        connection.settimeout(3)
        reader = threading.Thread(target=_swallow, args=(connection,))
        reader.start()
        with contextlib.suppress(ConnectionError, TimeoutError):
            connection.sendall(client().data_to_send())
            for piece in FLOODS[name]():
                connection.sendall(piece)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        reader.join()


def _swallow(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while connection.recv(65536):
            pass


def test_small_frames_of_large_cookies_do_not_grow(measured: Edge) -> None:
    crumb = "c" * 4_000
    with measured.connect() as connection, contextlib.suppress(ConnectionError, TimeoutError):
        encoder = Encoder()
        connection.sendall(client().data_to_send())
        first = encoder.encode([*HEAD, ("cookie", crumb)])
        again = encoder.encode([("cookie", crumb)] * 2_000)
        for number in range(200):
            payload = (first if not number else encoder.encode(HEAD)) + again
            connection.sendall(_frame(1, 4 | 1, 2 * number + 1, payload))
        ended(connection, 2)


def test_more_clients_than_fit_are_turned_away(front: Edge) -> None:
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(front.connect()) for _ in range(MOST + 50)]
        until(lambda: front.gateway.statistic("downstream_global_cx_overflow") > 0 or _refused(held) > 0)
    until(lambda: _serves(front))


def _refused(held: list[socket.socket]) -> int:
    """How many were closed."""
    found = 0
    for one in held:
        one.setblocking(False)
        try:
            found += one.recv(1) == b""
        except BlockingIOError:
            continue
        except ConnectionError:
            found += 1
    return found


def _serves(front: Edge) -> bool:
    try:
        return front.get()[0] == 200
    except OSError:
        return False


def test_addresses_can_be_let_in_and_kept_out(front: Edge) -> None:
    """By the address of the connection, before any other part of a request counts."""
    block = {"from": [{"source": {"ipBlocks": ["127.0.0.66/32"]}}]}
    spec = {"selector": {"matchLabels": {"app": "edge"}}, "action": "DENY", "rules": [block]}
    applied(front.attacked, "security.istio.io", "authorizationpolicies", "AuthorizationPolicy", "blocked", spec)

    def status(address: str) -> int:
        with socket.create_connection(("127.0.0.1", front.port), 5, (address, 0)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nhost: shop.example.com\r\nx-forwarded-for: 127.0.0.1\r\n\r\n")
            return answered(connection)[0]

    until(lambda: status("127.0.0.66") == 403)
    assert status("127.0.0.65") == 200
    path = "/apis/security.istio.io/v1/namespaces/shop/authorizationpolicies/blocked"
    assert front.attacked.ask("DELETE", path).status == 200
    until(lambda: status("127.0.0.66") == 200)


def test_one_client_cannot_have_what_is_for_all(front: Edge) -> None:
    """A limit for each address, counted in the gateway itself."""
    name, by = "per-client", [{"clientAddress": {}}]
    limit = {"name": "each", "requests": 3, "per": "Minute", "by": by}
    target = {"group": "networking.istio.io", "kind": "Gateway", "name": "edge"}
    content = {
        "apiVersion": "weft.dev/v1alpha1",
        "kind": "RateLimitPolicy",
        "metadata": {"name": name},
        "spec": {"targetRefs": [target], "limits": [limit]},
    }
    path = "/apis/weft.dev/v1alpha1/namespaces/shop/ratelimitpolicies"
    answer = front.attacked.ask("POST", path, content)
    assert answer.status == 201, answer

    def statuses(address: str) -> list[int]:
        found = []
        for _ in range(6):
            with socket.create_connection(("127.0.0.1", front.port), 5, (address, 0)) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nhost: shop.example.com\r\n\r\n")
                found.append(answered(connection)[0])
        return found

    until(lambda: 429 in statuses("127.0.0.67"))
    assert 200 in statuses("127.0.0.68")
    assert front.attacked.ask("DELETE", f"{path}/{name}").status == 200
    until(lambda: 429 not in statuses("127.0.0.67"))


def _inbound_ports(front: Edge) -> set[int]:
    entry = front.attacked.ask("GET", "/apis/networking.istio.io/v1/namespaces/shop/workloadentries/reviews-1").json()
    return set(entry["spec"]["ports"].values())


def test_a_sidecar_asks_for_a_certificate_of_the_mesh_soon(front: Edge) -> None:
    (port,) = _inbound_ports(front)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["istio"])
    with pytest.raises((ssl.SSLError, ConnectionError)):
        _asked(port, context)


def _asked(port: int, context: ssl.SSLContext) -> None:
    with socket.create_connection(("127.0.0.1", port), 5) as plain, context.wrap_socket(plain) as tls:
        tls.sendall(b"GET / HTTP/1.1\r\nhost: reviews\r\n\r\n")
        if not tls.recv(100):
            raise ConnectionError("closed")


ODD = {
    "many headers": b"".join(b"x%d: y\r\n" % number for number in range(96)),
    "large headers": b"".join(b"x%d: " % number + b"y" * 5_700 + b"\r\n" for number in range(10)),
    "one large header": b"x: " + b"y" * 58_000 + b"\r\n",
    "a header of connections": b"connection: x, keep-alive\r\nkeep-alive: 1\r\nproxy-connection: close\r\n",
    "what HTTP/2 has not": b"te: gzip, trailers\r\nupgrade: foo\r\nconnection: upgrade\r\n",
    "an upgrade to HTTP/2": b"connection: upgrade\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n",
    "8-bit letters": b"x: \xe9\xff\r\n",
    "tabs": b"x: \ta\tb \r\n",
    "an empty value": b"x:\r\n",
    "letters of tokens": b"x!#$%&'*+-.^`|~1: y\r\n",
    "a length of nothing": b"content-length: 0\r\n",
    "expectations": b"expect: 200-ok\r\n",
    "trailers announced": b"trailer: x\r\n",
}


@pytest.mark.parametrize("name", ODD)
def test_no_request_of_one_client_ends_the_connection_of_others(name: str, measured: Edge) -> None:
    """Between the gateway and the sidecar, requests of all clients share a connection."""
    assert measured.get()[0] == 200
    before = _connections(measured)
    raw = b"GET / HTTP/1.1\r\nhost: shop.example.com\r\n" + ODD[name] + b"\r\n"
    assert measured.send(raw)[0] in (200, 400, 403, 417, 431, 501)
    assert measured.get()[0] == 200
    assert _connections(measured) == before


def _connections(front: Edge) -> int:
    return front.gateway.statistic("reviews_shop_svc_cluster_local.upstream_cx_total")


def test_others_lose_nothing_to_a_client_that_takes_its_requests_back(measured: Edge) -> None:
    stopping = threading.Event()

    def resets() -> None:
        while not stopping.is_set():
            with contextlib.suppress(OSError), measured.connect() as connection:
                made = client()
                for number in range(400):
                    made.send_headers(2 * number + 1, HEAD)
                    made.reset_stream(2 * number + 1)
                connection.sendall(made.data_to_send())
                ended(connection, 1)

    attackers = [threading.Thread(target=resets) for _ in range(2)]
    for one in attackers:
        one.start()
    try:
        until_then = time.monotonic() + 3
        statuses = []
        while time.monotonic() < until_then:
            statuses.append(measured.get()[0])
    finally:
        stopping.set()
        for one in attackers:
            one.join()
    assert set(statuses) == {200}
