"""Real Envoys tell of live requests while somebody watches, and only then."""

import base64
import contextlib
import http.client
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.compiler.sidecars import Answer
from tests.intents.intent import world
from tests.intents.minimesh import SERVERS, MiniMesh, minimesh, until
from tests.limits.rig import mesh_with
from weft._pb.envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from weft.compiler.resource import LISTENER, ROUTES, Resources
from weft.compiler.telemetry import tap_script
from weft.compiler.telemetry.tap import Tapped, tapped, untapped
from weft.compiler.telemetry.tap_script import BURST
from weft.kit.clock import SystemClock
from weft.kit.redaction import HIDDEN, SECRETS, Redactor
from weft.model.reporting import PEER_HEADER
from weft.model.tap import Exchange, Looking, Showing, Side, Target
from weft.observe.access_logs import Entries, Reporter, access_log_sink
from weft.observe.calls import LOG as CALLS
from weft.observe.sinks import SinkHandlers
from weft.observe.tap.board import Board, Watcher
from weft.observe.tap.shown import shown
from weft.view.node import Outlet
from weft.xds.introduction import identity_of

pytestmark = pytest.mark.live
WEB = "spiffe://cluster.local/ns/shop/sa/web"
REVIEWS = "spiffe://cluster.local/ns/shop/sa/reviews"
CLOSED = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: closed, namespace: shop}
spec:
  selector: {matchLabels: {app: reviews}}
  action: DENY
  rules: [{to: [{operation: {paths: ["/closed"]}}]}]
"""
BYTES = """
apiVersion: v1
kind: Service
metadata: {name: bytes, namespace: shop}
spec: {selector: {app: ratings}, ports: [{name: tcp, port: 9000, targetPort: 9080}]}
"""


EDGE = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  selector: {istio: edge}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: edge, namespace: shop}
spec:
  hosts: ["*"]
  gateways: [edge]
  http: [{name: to-reviews, route: [{destination: {host: reviews}}]}]
"""


class Watched:
    """A running mesh and its board."""

    def __init__(self) -> None:
        self.board = Board(lambda: None)
        self.entries = 0
        readers = {log: self._counting(read) for log, read in self.board.readers().items()}
        self.overheard: list[bytes] = []
        readers[CALLS] = self._overhearing
        self.handlers = SinkHandlers((access_log_sink(readers),), identity_of, SystemClock())
        self.mini: MiniMesh
        self._serial = 0

    def _overhearing(self, _: Reporter, message: StreamAccessLogsMessage) -> None:
        """Another log, as a user's own would be."""
        self.overheard.append(message.SerializeToString())

    def _counting(self, read: Entries) -> Entries:
        def counted(reporter: Reporter, message: StreamAccessLogsMessage) -> None:
            self.entries += len(message.http_logs.log_entry)
            read(reporter, message)

        return counted

    @contextlib.contextmanager
    def watching(self, side: Side, looking: Looking, showing: Showing) -> Iterator[Watcher]:
        """Somebody watches all proxies."""
        watcher = self.board.enter(Target(), side, looking, showing)
        assert watcher is not None
        watcher.proxies = frozenset((name, side) for name in self.mini.sidecars)
        self._serial += 1
        wanted = (watcher.wanted,)
        sides = {"inward": wanted} if side is Side.IN else {"outward": wanted}
        self.mini.alter(
            lambda _, has: tapped(has, Tapped(**sides, connections=True, hidden=SECRETS, serial=self._serial))
        )
        try:
            yield watcher
        finally:
            self.board.leave(watcher)
            self.mini.alter(lambda _, has: _left(has))

    def ask(self, path: str, host: str = "reviews:9080", body: bytes = b"", **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.mini.proxy, timeout=20)
        with contextlib.closing(connection):
            said = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("POST" if body else "GET", f"http://{host}{path}", body or None, {"x-call": "t", **said})
            return Answer(connection.getresponse())


def _left(has: Resources) -> Resources:
    nothing = {(one.type_url, one.name): one for one in untapped()}
    return replace(has, resources=tuple(nothing.get((one.type_url, one.name), one) for one in has.resources))


def _next(watcher: Watcher, seconds: float = 10) -> Exchange:
    found: list[Exchange] = []

    def came() -> bool:
        seen = watcher.pop()
        found.extend([seen] if seen else [])
        return bool(found)

    until(came, seconds)
    return found[0]


def _none(watcher: Watcher) -> bool:
    time.sleep(0.6)  # longer than entries are held back
    return watcher.pop() is None


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    found = Watched()
    with minimesh(tmp_path_factory.mktemp("mesh"), world(), others=(found.handlers,)) as found.mini:
        found.mini.serve(mesh_with(CLOSED, tmp_path_factory.mktemp("policies")))
        yield found


def test_a_request_is_seen_at_the_callee_with_all_that_is_known_of_it(watched: Watched):
    with watched.watching(Side.IN, Looking(), Showing()) as watcher:
        assert watched.ask("/seen?a=1&token=abc", traceparent=f"00-{'a' * 32}-{'b' * 16}-01").status == 200
        seen = _next(watcher)
    assert (seen.method, seen.path, seen.authority, seen.status) == ("GET", "/seen?a=1&token=abc", "reviews:9080", 200)
    assert (seen.source.workload, seen.source.namespace, seen.source.identity) == ("web-v1", "shop", WEB)
    assert seen.destination.workload.startswith("reviews-v")
    assert (seen.destination.identity, seen.service) == (REVIEWS, "reviews.shop.svc.cluster.local")
    assert (seen.mutual, seen.tls, seen.protocol) == (True, "TLSv1.3", "HTTP/2")
    assert seen.duration > 0
    assert seen.response.size > 0
    assert seen.request_id
    assert seen.trace_id == "a" * 32
    assert seen.request.headers == ()


def test_a_request_is_seen_at_the_caller_with_its_route_and_who_answered(watched: Watched):
    with watched.watching(Side.OUT, Looking(), Showing()) as watcher:
        watched.ask("/out")
        seen = _next(watcher)
    assert (seen.source.workload, seen.source.identity) == ("web-1", WEB)
    assert (seen.destination.service, seen.destination.identity) == ("reviews", REVIEWS)
    assert (seen.service, seen.attempts, seen.mutual) == ("reviews.shop.svc.cluster.local", 1, True)
    assert seen.route


def test_a_request_that_went_nowhere_is_seen_at_the_caller(watched: Watched):
    with watched.watching(Side.OUT, Looking(statuses=((400, 599),)), Showing()) as watcher:
        watched.ask("/fine")
        assert watched.ask("/lost", host="nobody.shop:9").status >= 400
        seen = _next(watcher)
    assert (seen.path, seen.method) == ("/lost", "GET")
    assert seen.flags


def test_what_a_policy_refused_is_seen_with_its_verdict(watched: Watched):
    with watched.watching(Side.IN, Looking(path="/closed"), Showing()) as watcher:
        assert watched.ask("/closed").status == 403
        seen = _next(watcher)
    assert (seen.status, seen.verdicts) == (403, ("DENY shop/closed",))


def test_headers_and_bodies_come_when_asked_for_and_secrets_stay_in_the_proxy(watched: Watched):
    showing = Showing(headers=("x-*", "authorization", "content-type"), body=64)
    with watched.watching(Side.IN, Looking(), showing) as watcher:
        body = b'{"user": "ann", "password": "hunter2", "note": "%s"}' % (b"n" * 500)
        watched.ask(
            "/with", body=body, x_seen="yes", authorization="Bearer abc", x_api_key="k", content_type="application/json"
        )
        seen = _next(watcher)
    headers = dict(seen.request.headers)
    assert headers["x-seen"] == "yes"
    assert headers["authorization"] == headers["x-api-key"] == HIDDEN
    assert "x-weft-peer" not in headers
    assert "user-agent" not in headers
    assert seen.request.size == len(body)
    assert seen.request.body is not None
    assert seen.request.body.cut
    assert seen.response.body is not None
    until(lambda: any(b"/with" in one for one in watched.overheard))
    for what in (b"hunter2", base64.b64encode(body[:33]), b"x-seen"):
        assert not any(what in one for one in watched.overheard)
    told = shown(seen, showing, Redactor())
    assert told.request.body is not None
    assert b"hunter2" not in told.request.body.data
    assert told.request.body.data.startswith(b'{"user": "ann", "password": "[redacted]"')


def test_only_what_is_looked_for_leaves_the_proxy(watched: Watched):
    looking = Looking(
        methods=("GET",), path="/api/*", headers=(("x-kind", "a*"),), identity="*/sa/web", source="shop/web"
    )
    with watched.watching(Side.IN, looking, Showing()) as watcher:
        before = watched.entries
        watched.ask("/api/1", x_kind="other")
        watched.ask("/else", x_kind="abc")
        watched.ask("/api/2", body=b"x", x_kind="abc")
        watched.ask("/api/3?x", x_kind="abc")
        assert _next(watcher).path == "/api/3?x"
        assert _none(watcher)
        assert watched.entries - before == 1


def test_who_shows_no_certificate_is_not_taken_for_whom_it_names(watched: Watched):
    with watched.watching(Side.IN, Looking(source="shop/web"), Showing()) as watcher:
        for name in SERVERS:
            connection = http.client.HTTPConnection("127.0.0.1", watched.mini.ports[name], timeout=20)
            with contextlib.closing(connection):
                claim = {"x-call": "claim", PEER_HEADER: "web-v1;shop;web;v1;Kubernetes"}
                connection.request("GET", "/claimed", headers=claim)
                assert connection.getresponse().status == 200
        watched.ask("/real")
        assert _next(watcher).path == "/real"


def test_slow_requests_are_told_apart_in_the_proxy(watched: Watched):
    with watched.watching(Side.IN, Looking(slower_than=5000), Showing()) as watcher:
        before = watched.entries
        watched.ask("/quick")
        assert _none(watcher)
        assert watched.entries == before
    with watched.watching(Side.IN, Looking(slower_than=0.01), Showing()) as watcher:
        watched.ask("/slow")
        assert _next(watcher).path == "/slow"


def test_nothing_is_told_when_nobody_watches_and_no_connection_is_closed_for_a_watcher(watched: Watched):
    connection = http.client.HTTPConnection("127.0.0.1", watched.mini.proxy, timeout=20)
    with contextlib.closing(connection):

        def ask() -> None:
            connection.request("GET", "http://reviews:9080/kept", headers={"x-call": "kept"})
            connection.getresponse().read()

        ask()
        listeners = _versions(watched)
        before, own = _connections(watched), connection.sock
        for _ in range(3):
            with watched.watching(Side.IN, Looking(), Showing(body=10)) as watcher:
                ask()
                _next(watcher)
            told = watched.entries
            ask()
            time.sleep(0.6)  # longer than entries are held back
            assert watched.entries == told
        assert connection.sock is own
        assert _versions(watched) == listeners
        assert _connections(watched) == before


def test_a_flood_is_capped_at_the_proxy_and_what_was_left_out_is_counted(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
):
    """Ten a second here, so that no machine is too slow for more."""
    monkeypatch.setattr(tap_script, "PER_SECOND", 10)
    asked = 0
    with watched.watching(Side.OUT, Looking(), Showing()) as watcher:
        connection = http.client.HTTPConnection("127.0.0.1", watched.mini.proxy, timeout=20)

        def ask() -> None:
            nonlocal asked
            asked += 1
            connection.request("GET", "http://reviews:9080/flood", headers={"x-call": "flood"})
            connection.getresponse().read()

        def lost() -> bool:
            """What is told next says how much was left out."""
            ask()
            return watcher.lost > 0

        with contextlib.closing(connection):
            for _ in range(3 * BURST):
                ask()
            until(lost)
        assert watcher.lost + len(watcher._waiting) <= asked


def test_a_gateways_requests_are_seen_with_their_route_and_who_answered(watched: Watched, tmp_path: Path):
    watched.mini.serve(mesh_with(f"{CLOSED}---{EDGE}", tmp_path))
    with watched.watching(Side.OUT, Looking(authority="a.example.com"), Showing(headers=("x-seen",))) as watcher:
        connection = http.client.HTTPConnection("127.0.0.1", watched.mini.edge_port(80), timeout=20)
        with contextlib.closing(connection):
            connection.request("GET", "/through", headers={"host": "a.example.com", "x-call": "edge", "x-seen": "1"})
            connection.getresponse().read()
        seen = _next(watcher)
    assert (seen.proxy, seen.path, seen.status, seen.route) == ("edge.shop", "/through", 200, "to-reviews")
    assert (seen.destination.service, seen.destination.identity, seen.mutual) == ("reviews", REVIEWS, True)
    assert ("x-seen", "1") in seen.request.headers


def test_connections_of_bytes_are_seen_as_connections(watched: Watched, tmp_path: Path):
    outlet = Outlet(host="bytes.shop.svc.cluster.local", port=9000, bind_port=watched.mini.outlet)
    mesh = mesh_with(f"{CLOSED}---{BYTES}", tmp_path)
    services = {host: one for host, one in mesh.services.items() if not host.startswith("ratings.")}
    watched.mini.serve(replace(mesh, services=services), outlets=(outlet,))
    with watched.watching(Side.OUT, Looking(), Showing()) as watcher:
        with socket.create_connection(("127.0.0.1", watched.mini.outlet), timeout=10) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nx-call: b\r\nconnection: close\r\n\r\n")
            opened = _next(watcher)
            while connection.recv(4096):
                pass
        closed = _next(watcher)
    assert (opened.phase, closed.phase) == ("opened", "closed")
    assert closed.service == "bytes.shop.svc.cluster.local"
    assert closed.destination.identity == "spiffe://cluster.local/ns/shop/sa/ratings"
    assert min(closed.request.size, closed.response.size) > 0
    assert closed.method == ""


def _versions(watched: Watched) -> list[str]:
    found = (watched.mini._control.fleet.resources(name) for name in watched.mini.sidecars)
    return [one.version for has in found if has for one in has.resources if one.type_url in (LISTENER, ROUTES)]


def _connections(watched: Watched) -> int:
    return sum(
        one.statistic("listener_manager.total_listeners_draining") + one.statistic("listener_manager.listener_modified")
        for one in watched.mini.sidecars.values()
    )


def test_a_control_plane_that_is_lost_leaves_nothing_on(watched: Watched, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tap_script, "LIFE", 1)
    with watched.watching(Side.OUT, Looking(), Showing()) as watcher:
        watched.ask("/alive")
        assert _next(watcher).path == "/alive"
        time.sleep(1.1)  # longer than a script lives that is not sent again
        watched.ask("/over")
        assert _none(watcher)


def test_nothing_that_is_looked_for_can_be_more_than_a_pattern(watched: Watched):
    evil = "\"]] .. os.exit() --\\\n\0*\xe4'{}%d"
    looking = Looking(methods=("GET", evil), path=f"/{evil}", authority=evil, headers=((evil, evil),), identity=evil)
    with watched.watching(Side.OUT, looking, Showing(headers=(evil,), body=5)) as watcher:
        assert watched.ask("/fine").status == 200
        assert _none(watcher)
