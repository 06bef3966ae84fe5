"""Real Envoys tell a control plane what their policies refuse."""

import contextlib
import http.client
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.compiler.sidecars import Answer
from tests.intents.intent import world
from tests.intents.minimesh import MiniMesh, minimesh, until
from tests.limits.rig import mesh_with
from tests.observe.test_calls_live import with_bucket
from weft.compiler.telemetry.decisions import DECISIONS
from weft.kit.clock import SystemClock
from weft.observe.access_logs import access_log_sink
from weft.observe.calls import LOG as CALLS
from weft.observe.calls import Calls
from weft.observe.decisions import LOG, Decision, Decisions
from weft.observe.sinks import SinkHandlers
from weft.view.node import Outlet
from weft.xds.introduction import identity_of

pytestmark = pytest.mark.live
WEB = "spiffe://cluster.local/ns/shop/sa/web"
_POLICY = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: {name}, namespace: shop, annotations: {{{annotation}}}}}
spec:
  selector: {{matchLabels: {{app: {app}}}}}
  action: {action}
  rules: [{{to: [{{operation: {{{operation}}}}}]}}]
"""
_BYTES = """
apiVersion: v1
kind: Service
metadata: {name: bytes, namespace: shop}
spec: {selector: {app: ratings}, ports: [{name: tcp, port: 9000, targetPort: 9080}]}
"""


class Watched:
    """A running mesh, and the decisions that reached its control plane."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.found: list[Decision] = []
        self.decisions = Decisions(SystemClock(), self.found.extend)
        self.calls = Calls(SystemClock())
        sink = access_log_sink({LOG: self.decisions.read, CALLS: self.calls.read})
        self.handlers = SinkHandlers((sink,), identity_of, SystemClock())
        self.mini: MiniMesh

    def serve(self, *documents: str, outlets: tuple[Outlet, ...] = ()) -> None:
        self.mini.serve(mesh_with("\n---\n".join(documents), self._directory), outlets=outlets)

    def ask(self, path: str, host: str = "reviews:9080", **headers: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.mini.proxy, timeout=20)
        with contextlib.closing(connection):
            said = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("GET", f"http://{host}{path}", headers={"x-call": "decisions", **said})
            return Answer(connection.getresponse()).status

    def recorded(self) -> int:
        """The calls of the other log, of whose entries the same statistics tell."""
        return sum(count for _, count in self.calls.recorded(3600))

    def told(self, path: str, count: int = 1) -> list[Decision]:
        """The decisions about a path, when so many have come."""
        until(lambda: len([one for one in self.found if one.path == path]) >= count)
        return [one for one in self.found if one.path == path]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    found = Watched(tmp_path_factory.mktemp("watched"))
    with minimesh(tmp_path_factory.mktemp("mesh"), world(), others=(found.handlers,)) as found.mini:
        yield found


def policy(name: str, action: str, paths: str, *, app: str = "reviews", dry_run: bool = False) -> str:
    annotation = '"istio.io/dry-run": "true"' if dry_run else ""
    return _POLICY.format(name=name, action=action, operation=f"paths: [{paths}]", app=app, annotation=annotation)


def test_refused_tried_and_audited_calls_are_told_and_others_are_not(watched: Watched):
    watched.serve(
        policy("closed", "DENY", "/closed"),
        policy("tried", "DENY", "/tried", dry_run=True),
        policy("noted", "AUDIT", "/noted"),
    )
    assert [watched.ask(path) for path in ("/open", "/closed?key=secret", "/tried", "/noted")] == [200, 403, 200, 200]
    (closed,), (tried,), (noted,) = watched.told("/closed"), watched.told("/tried"), watched.told("/noted")
    assert (closed.action, closed.policy, closed.rule, closed.code) == ("DENY", "shop/closed", "0", 403)
    assert (closed.source, closed.method, closed.authority) == (WEB, "GET", "reviews:9080")
    assert closed.proxy.startswith("reviews-v")
    assert closed.reporter.account == "reviews"
    assert (tried.action, tried.policy, tried.dry_run, tried.code) == ("DENY", "shop/tried", True, 200)
    assert (noted.action, noted.policy, noted.dry_run) == ("AUDIT", "shop/noted", False)
    assert not [one for one in watched.found if one.path == "/open"]


def test_a_call_that_nothing_allows_is_told(watched: Watched):
    watched.serve(policy("only", "ALLOW", "/only"))
    assert [watched.ask(path) for path in ("/only", "/else")] == [200, 403]
    (found,) = watched.told("/else")
    assert (found.action, found.policy, found.detail) == ("ALLOW", "", "no-allow-policy-matches")


def test_a_refused_call_of_grpc_is_told_though_its_status_is_200(watched: Watched):
    watched.serve(policy("closed", "DENY", "/pkg.Service/Call"))
    assert watched.ask("/pkg.Service/Call", content_type="application/grpc") == 200
    (found,) = watched.told("/pkg.Service/Call")
    assert (found.action, found.policy) == ("DENY", "shop/closed")


def test_a_refused_connection_is_told(watched: Watched, tmp_path: Path):
    refusing = _POLICY.format(name="no-bytes", action="DENY", operation='ports: ["9080"]', app="ratings", annotation="")
    outlet = Outlet(host="bytes.shop.svc.cluster.local", port=9000, bind_port=watched.mini.outlet)
    mesh = mesh_with(f"{_BYTES}---{refusing}", tmp_path)
    services = {host: one for host, one in mesh.services.items() if not host.startswith("ratings.")}
    watched.mini.serve(replace(mesh, services=services), outlets=(outlet,))
    with socket.create_connection(("127.0.0.1", watched.mini.outlet), timeout=10) as connection:
        connection.sendall(b"hello")
        with contextlib.suppress(ConnectionError):
            assert connection.recv(1) == b""
    until(lambda: any(not one.method and one.policy for one in watched.found))
    found = next(one for one in watched.found if not one.method)
    assert (found.action, found.policy, found.source) == ("DENY", "shop/no-bytes", WEB)
    assert found.proxy == "ratings-v1.shop"


def test_a_flood_of_refusals_is_capped_at_the_proxy_and_delays_no_call(watched: Watched):
    watched.serve(policy("closed", "DENY", "/flood"))
    # One a second, so that no machine is too slow for more.
    watched.mini.alter(lambda _, has: with_bucket(has, DECISIONS, 1, 200))
    connection = http.client.HTTPConnection("127.0.0.1", watched.mini.proxy, timeout=20)
    with contextlib.closing(connection):
        for _ in range(1200):
            connection.request("GET", "http://reviews:9080/flood")
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 403
    sidecars = [one for name, one in watched.mini.sidecars.items() if name.startswith("reviews")]
    until(lambda: _statistic(sidecars, "access_log.process_ratelimit.denied") > 0)
    allowed = _statistic(sidecars, "access_log.process_ratelimit.allowed")
    until(lambda: watched.decisions.told + watched.decisions.dropped + watched.recorded() >= allowed)
    assert len(watched.told("/flood")) < 1200


def _statistic(sidecars, name: str) -> int:
    return sum(one.statistic(name) for one in sidecars)
