"""Captured connections through real sidecars, on hosts of their own with the least rules that turn them there."""

import contextlib
import http.client
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.compiler.certificates import Authority
from tests.compiler.sidecars import Sidecar, sidecar
from tests.namespaces.hosts import CAPTURED, Host, hosts
from tests.view.meshes import fqdn, inlet, mesh, node, origin, service, workload
from weft.compiler.resources import resources_of
from weft.model.authorization import AccessPolicy, AccessRule, Action, Attribute, Condition
from weft.model.document import Key, Origin
from weft.model.match import Exact
from weft.model.mesh import Mesh
from weft.model.security import MtlsMode, PeerPolicy
from weft.model.service import Port, Protocol, Resolution, Service
from weft.model.settings import Settings
from weft.view.build import view_of
from weft.view.node import Capture

pytestmark = [pytest.mark.live, pytest.mark.root]

MARK = 1337
RULES = f"""
table inet weft {{
  chain out {{
    type nat hook output priority -100;
    meta mark {MARK} return
    ip saddr 127.0.0.6 return
    ip6 saddr ::6 return
    ip daddr 127.0.0.0/8 return
    ip6 daddr ::1 return
    meta mark {CAPTURED} meta l4proto tcp redirect to :15001
    oifname "lo" meta l4proto tcp redirect to :15006
  }}
  chain in {{
    type nat hook prerouting priority -100;
    meta l4proto tcp redirect to :15006
  }}
}}
"""
HTTP = Port(number=9080, name="http", protocol=Protocol.HTTP)
MYSQL = Port(number=3306, name="tcp", protocol=Protocol.TCP)
UNKNOWN = Port(number=9080, name="", protocol=Protocol.TCP, sniffed=True)
TLS = Port(number=443, name="tls", protocol=Protocol.TLS)
REVIEWS, DATABASE, UNKNOWNS = "240.241.0.1", "240.241.0.2", "240.241.0.3"


def answer_http(name: str) -> Callable[[socket.socket], None]:
    """Answers one request after the other with who asked whom."""

    def answer(connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        while line := stream.readline():
            headers = dict(
                iter(lambda: tuple(stream.readline().decode().strip().lower().partition(": ")[::2]), ("", ""))
            )
            said = {
                "name": name,
                "line": line.decode().strip(),
                "headers": headers,
                "from": connection.getpeername()[0],
            }
            body = json.dumps(said).encode()
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))

    return answer


def greet(connection: socket.socket) -> None:
    """A protocol in which the server speaks first."""
    connection.sendall(b"220 hello\r\n")
    connection.sendall(connection.recv(100).upper())


def _get(host: Host, address: str, port: int, named: str) -> tuple[int, dict]:
    connection = http.client.HTTPConnection(named, port, timeout=10)
    with contextlib.closing(connection):
        connection.sock = host.connect(address, port)
        connection.request("GET", "/")
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, json.loads(body) if answer.status == 200 and body else {}


def _greeted(host: Host, address: str, port: int) -> tuple[bytes, bytes]:
    with host.connect(address, port) as connection:
        greeting = connection.recv(100)
        connection.sendall(b"select 1")
        return greeting, connection.recv(100)


class Net:
    """The caller ``web``, the servers ``reviews`` and ``db``, and ``outside``, which has no sidecar."""

    def __init__(self, found: dict[str, Host], directory: Path) -> None:
        self.web, self.reviews, self.outside = found["web"], found["reviews"], found["outside"]
        self._directory = directory
        self._authority = Authority()
        self._runs = 0
        self._running = contextlib.ExitStack()
        self._found: tuple[Mesh, int] | None = None

    def mesh(self, *more: Service, **changes: object) -> Mesh:
        here = workload("reviews", self.reviews.address)
        headless = replace(service("pods", HTTP, MYSQL), origin=Origin(key=Key(kind="Service", name="pods")))
        headless = replace(headless, selector=(("app", "reviews"),))
        services = (
            replace(service("reviews", HTTP), addresses=(REVIEWS,)),
            replace(service("db", MYSQL, selector=(("app", "reviews"),)), addresses=(DATABASE,)),
            replace(service("sniffed", UNKNOWN, selector=(("app", "reviews"),)), addresses=(UNKNOWNS,)),
            headless,
            *more,
        )
        return mesh(*services, workloads=[here, workload("web", self.web.address)], **changes)

    @contextlib.contextmanager
    def run(self, found: Mesh, host: Host, app: str, *inlets: object, mark: int = 0) -> Iterator[Sidecar]:
        """The sidecar of a host."""
        self._runs += 1
        capture = Capture(outbound=15001, inbound=15006, addresses=(host.address, host.address6), mark=mark)
        own = replace(node(app, inlets=inlets, http_proxy=None), capture=capture)
        secrets = self._authority.secrets(f"spiffe://cluster.local/ns/shop/sa/{app}")
        resources = resources_of(view_of(found, own))
        place = self._directory / f"{app}-{self._runs}"
        with sidecar(resources, place, secrets, namespace=host.namespace) as running:
            yield running

    def start(self, found: Mesh, mark: int = 0) -> None:
        """Both sidecars, with this mesh; those of another one end."""
        if self._found == (found, mark):
            return
        self.stop()
        own = [replace(inlet(port, bind_port=port, app_port=port), protocol=kind) for port, kind in _INLETS]
        self.server = self._running.enter_context(self.run(found, self.reviews, "reviews", *own, mark=mark))
        self.client = self._running.enter_context(self.run(found, self.web, "web"))
        self._found = (found, mark)

    def waited(self) -> int:
        """How many connections were let through only after the time in which a client has to say something."""
        said = [one.ask("/stats?filter=downstream_pre_cx_timeout") for one in (self.server, self.client)]
        assert all(said), "both count it"
        return sum(int(line.rpartition(" ")[2]) for text in said for line in text.splitlines())

    def stop(self) -> None:
        """End both."""
        self._running.close()
        self._found = None


_INLETS = ((9080, Protocol.HTTP), (3306, Protocol.TCP))


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    with hosts("web", "reviews", "outside") as found, contextlib.ExitStack() as running:
        for name in ("web", "reviews"):
            found[name].redirect(RULES)
        reviews, outside = found["reviews"], found["outside"]
        for host, name in ((reviews, "reviews"), (outside, "outside")):
            for address in (host.address, host.address6):
                running.enter_context(host.serving(address, 9080, answer_http(name)))
                running.enter_context(host.serving(address, 3306, greet))
                running.enter_context(host.serving(address, 8888, answer_http(name)))
        made = Net(dict(found), tmp_path_factory.mktemp("net"))
        running.callback(made.stop)
        yield made


@pytest.fixture
def running(net: Net) -> None:
    """Both sidecars with nothing special."""
    net.start(net.mesh())


@pytest.mark.parametrize("named", ["reviews", "reviews:9080", "reviews.shop", fqdn("reviews"), REVIEWS])
def test_a_request_to_a_virtual_address_crosses_both_sidecars(net, running, named):
    status, said = _get(net.web, REVIEWS, 9080, named.partition(":")[0])
    assert (status, said["name"]) == (200, "reviews")
    assert "spiffe://cluster.local/ns/shop/sa/web" in said["headers"]["x-forwarded-client-cert"]
    assert said["from"] == "127.0.0.6"


def test_a_server_that_speaks_first_is_heard_at_once(net, running):
    before = net.waited()
    assert _greeted(net.web, DATABASE, 3306) == (b"220 hello\r\n", b"SELECT 1")
    assert net.waited() == before


def test_what_the_mesh_does_not_know_is_reached_as_it_is(net, running):
    for port in (9080, 8888):
        status, said = _get(net.web, net.outside.address, port, "example.com")
        assert (status, said["name"]) == (200, "outside")
        assert "x-forwarded-client-cert" not in said["headers"]
    before = net.waited()
    assert _greeted(net.web, net.outside.address, 3306) == (b"220 hello\r\n", b"SELECT 1")
    assert net.waited() == before


def test_ipv6_is_captured_too(net, running):
    status, said = _get(net.web, net.outside.address6, 9080, "reviews")
    assert (status, said["name"]) == (200, "reviews")
    status, said = _get(net.web, net.outside.address6, 8888, "example.com")
    assert (status, said["name"]) == (200, "outside")
    status, said = _get(net.outside, net.reviews.address6, 9080, "reviews")
    assert (status, said["from"]) == (200, "::6")


def test_first_bytes_tell_requests_where_nothing_else_does(net, running):
    status, said = _get(net.web, UNKNOWNS, 9080, "sniffed")
    assert (status, said["name"]) == (200, "reviews")
    with net.web.connect(UNKNOWNS, 9080) as connection:
        connection.sendall(b"\x00\x01\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 ")


def test_a_pod_of_a_headless_service_is_called_by_itself(net, running):
    before = net.waited()
    assert _greeted(net.web, net.reviews.address, 3306)[0] == b"220 hello\r\n"
    assert net.waited() == before
    status, said = _get(net.web, net.reviews.address, 9080, "reviews-1.pods.shop")
    assert (status, said["name"]) == (200, "reviews")
    assert "spiffe://cluster.local/ns/shop/sa/web" in said["headers"]["x-forwarded-client-cert"]


def test_a_service_calls_itself_through_its_own_sidecar(net, running):
    status, said = _get(net.reviews, REVIEWS, 9080, "reviews")
    assert (status, said["name"], said["from"]) == (200, "reviews", "127.0.0.6")
    assert "spiffe://cluster.local/ns/shop/sa/reviews" in said["headers"]["x-forwarded-client-cert"]


def test_callers_without_a_sidecar_reach_declared_and_other_ports(net, running):
    for port in (9080, 8888):
        status, said = _get(net.outside, net.reviews.address, port, "reviews")
        assert (status, said["name"], said["from"]) == (200, "reviews", "127.0.0.6")
        assert "x-forwarded-client-cert" not in said["headers"]


def test_calls_to_the_application_may_be_told_by_a_mark_instead(net):
    net.start(net.mesh(), mark=MARK)
    for caller, addresses in ((net.reviews, (REVIEWS,)), (net.outside, (net.reviews.address, net.reviews.address6))):
        for address in addresses:
            status, said = _get(caller, address, 9080, "reviews")
            assert (status, said["name"]) == (200, "reviews")
            assert said["from"] not in ("127.0.0.6", "::6")


@pytest.mark.parametrize("port", [15001, 15006])
def test_what_is_sent_to_the_listeners_themselves_goes_nowhere(net, running, port):
    with net.outside.connect(net.reviews.address, port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert _ended(connection)
    with net.reviews.connect("127.0.0.1", port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert _ended(connection)


def _ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(100) == b""
    except ConnectionError:
        return True


def test_strict_ports_refuse_plaintext_and_policies_hold_at_ports_that_nobody_declared(net):
    strict = PeerPolicy(
        origin=origin(),
        namespace="shop",
        selector=(("app", "reviews"),),
        mode=MtlsMode.PERMISSIVE,
        ports=((9080, MtlsMode.STRICT),),
    )
    port = Condition(attribute=Attribute.DESTINATION_PORT, any_of=(Exact(value="8888"),))
    denied = AccessPolicy(
        origin=origin("no-8888"),
        namespace="shop",
        action=Action.DENY,
        rules=(AccessRule(operations=((port,),)),),
    )
    found = net.mesh(peer_policies=(strict,), access_policies=(denied,))
    net.start(found)
    assert _get(net.web, REVIEWS, 9080, "reviews")[0] == 200
    with net.outside.connect(net.reviews.address, 3306) as connection:
        connection.sendall(b"select 1")
        assert connection.recv(100).startswith(b"220 hello\r\n")
    for refused in (9080, 8888):
        with net.outside.connect(net.reviews.address, refused) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nhost: reviews\r\n\r\n")
            assert _ended(connection)


def test_with_registry_only_nothing_else_is_reached(net):
    found = net.mesh(settings=Settings(allow_any=False))
    net.start(found)
    assert _get(net.web, REVIEWS, 9080, "reviews")[0] == 200
    assert _get(net.web, net.outside.address, 9080, "example.com")[0] == 502
    for port in (8888, 3306):
        with net.web.connect(net.outside.address, port) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert _ended(connection)


def test_tls_goes_by_the_name_that_the_client_asks_for(net):
    """Whoever resolved a name elsewhere is known by it, as long as it is a name of the mesh."""
    entry = Service(
        host="api.example.com",
        name="api",
        namespace="shop",
        origin=origin(kind="ServiceEntry"),
        ports=(TLS,),
        addresses=("240.240.0.9",),
        resolution=Resolution.NONE,
        external=True,
    )
    wide = replace(entry, host="*.example.org", addresses=())
    found = net.mesh(entry, wide, settings=Settings(allow_any=False))
    asked: list[str] = []

    def answer(connection: socket.socket) -> None:
        hello = connection.recv(2000)
        asked.append(next(one for one in ("api.example.com", "www.example.org", "other") if one.encode() in hello))

    net.start(found)
    with net.outside.serving(net.outside.address, 443, answer):
        for name in ("api.example.com", "www.example.org", "other.example.net"):
            context = ssl.create_default_context()
            with net.web.connect(net.outside.address, 443) as connection, contextlib.suppress(OSError):
                context.wrap_socket(connection, server_hostname=name).close()
    assert asked == ["api.example.com", "www.example.org"]
