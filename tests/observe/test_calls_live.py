"""Real Envoys tell a control plane some of the calls that reach them."""

import contextlib
import http.client
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.intents.intent import world
from tests.intents.minimesh import MiniMesh, minimesh, until
from tests.limits.rig import mesh_with
from weft.kit.clock import SystemClock
from weft.observe.access_logs import access_log_sink
from weft.observe.calls import LOG, Calls
from weft.observe.sinks import SinkHandlers
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


def test_no_more_are_told_than_so_many_a_second(watched: Watched) -> None:
    assert set(watched.ask(*["/many"] * 600)) == {200}
    until(lambda: watched.counts()["/many"] >= 50)
    assert watched.counts()["/many"] < 550
