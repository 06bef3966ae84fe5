"""Real Envoys tell a control plane some of the calls that reach them."""

import contextlib
import http.client
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.intents.intent import world
from tests.intents.minimesh import MiniMesh, minimesh, until
from tests.limits.rig import mesh_with
from weft.compiler.resource import Resources
from weft.compiler.telemetry.calls import CALLS
from weft.compiler.telemetry.streams import tokens
from weft.kit.clock import SystemClock
from weft.observe.access_logs import access_log_sink
from weft.observe.calls import LOG, Calls
from weft.observe.sinks import SinkHandlers
from weft.view.node import Outlet
from weft.xds.introduction import identity_of

pytestmark = pytest.mark.live
WEB = "spiffe://cluster.local/ns/shop/sa/web"
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
NO_BYTES = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-bytes, namespace: shop}
spec:
  selector: {matchLabels: {app: ratings}}
  action: DENY
  rules: [{to: [{operation: {ports: ["9080"]}}]}]
"""


class Watched:
    """A running mesh, and the calls that its control plane was told."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.calls = Calls(SystemClock())
        sink = access_log_sink({LOG: self.calls.read})
        self.handlers = SinkHandlers((sink,), identity_of, SystemClock())
        self.mini: MiniMesh

    def ask(self, *paths: str) -> list[int]:
        connection = http.client.HTTPConnection("127.0.0.1", self.mini.proxy, timeout=20)
        statuses = []
        with contextlib.closing(connection):
            for path in paths:
                connection.request("GET", f"http://reviews:9080{path}", headers={"x-call": "calls"})
                answer = connection.getresponse()
                answer.read()
                statuses.append(answer.status)
        return statuses

    def counts(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for call, count in self.calls.recorded(3600):
            found[call.path] += count
        return found


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    found = Watched(tmp_path_factory.mktemp("watched"))
    with minimesh(tmp_path_factory.mktemp("mesh"), world(), others=(found.handlers,)) as found.mini:
        yield found


def test_calls_are_told_with_who_called_what_whether_they_were_let_in_or_not(watched: Watched) -> None:
    watched.mini.serve(mesh_with(CLOSED, watched.directory))
    assert watched.ask("/open?key=secret", "/open", "/closed") == [200, 200, 403]
    until(lambda: watched.counts().items() >= {"/open": 2, "/closed": 1}.items())
    for call in (one for one, _ in watched.calls.recorded(3600) if one.path in ("/open", "/closed")):
        assert call.proxy.startswith("reviews-v")
        assert (call.source, call.port, call.method, call.authority) == (WEB, 9080, "GET", "reviews:9080")


def test_connections_are_told_when_they_end_whether_they_were_let_in_or_not(watched: Watched) -> None:
    outlet = Outlet(host="bytes.shop.svc.cluster.local", port=9000, bind_port=watched.mini.outlet)
    for documents in (BYTES, f"{BYTES}---{NO_BYTES}"):
        before = sum(count for call, count in watched.calls.recorded(3600) if not call.method)
        mesh = mesh_with(documents, watched.directory)
        services = {host: one for host, one in mesh.services.items() if not host.startswith("ratings.")}
        watched.mini.serve(replace(mesh, services=services), outlets=(outlet,))
        with socket.create_connection(("127.0.0.1", watched.mini.outlet), timeout=10) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                connection.recv(1)

        def told(before: int = before) -> bool:
            return sum(count for call, count in watched.calls.recorded(3600) if not call.method) > before

        until(told)
    ((call, count),) = [one for one in watched.calls.recorded(3600) if not one[0].method]
    assert (call.source, call.proxy, call.port, count) == (WEB, "ratings-v1.shop", 9080, 2)


def test_no_more_are_told_than_so_many_a_second(watched: Watched) -> None:
    """One a second here, so that no machine is too slow for more; each of three proxies has a hundred at first."""
    watched.mini.alter(lambda _, has: with_bucket(has, CALLS, 1, 100))
    assert set(watched.ask(*["/many"] * 600)) == {200}
    until(lambda: watched.counts()["/many"] >= 50)
    assert watched.counts()["/many"] < 550


def with_bucket(has: Resources, name: str, per_second: int, burst: int) -> Resources:
    """With another bucket for the entries of a log, where there is one."""
    other = tokens(name, per_second, burst)
    changed = (other if (one.type_url, one.name) == (other.type_url, other.name) else one for one in has.resources)
    return replace(has, resources=tuple(changed))
