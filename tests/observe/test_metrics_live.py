"""Real Envoys count calls and tell the control plane: every call once, with who called whom."""

import contextlib
import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.compiler.sidecars import Answer
from tests.intents.intent import world
from tests.intents.minimesh import MiniMesh, minimesh, until
from weft.kit.clock import SystemClock
from weft.model.access_log import FileLog
from weft.model.series import Series
from weft.observe.edges import Edge
from weft.observe.histograms import Distribution
from weft.observe.metrics import Metrics
from weft.observe.recorded import Recorder
from weft.observe.sinks import Receive, SinkHandlers
from weft.observe.traffic import Traffic
from weft.observe.windows.store import Windows
from weft.xds.introduction import identity_of

pytestmark = pytest.mark.live
FLUSHES = 15.0
"""Seconds in which every proxy has reported what it counted."""


class Counted:
    """A running mesh and what its control plane knows of the traffic."""

    def __init__(self) -> None:
        self.windows = Windows(None)
        self.traffic = Traffic(self.windows, SystemClock())
        self._recorder = Recorder(self.windows)
        self.all: list[tuple[Series, str, int]] = []
        self.metrics = Metrics(self)
        self._reported: dict[int, float] = {}
        told = self.metrics.sink()
        sink = replace(told, opened=lambda identity: self._reporting(told.opened(identity)))
        self.handlers = SinkHandlers((sink,), identity_of, SystemClock())
        self.mini: MiniMesh

    def _reporting(self, receive: Receive) -> Receive:
        """The stream of a proxy, of which it is noted when it said something last."""

        def received(content: bytes) -> Iterator[None] | None:
            self._reported[id(received)] = time.monotonic()
            return receive(content)

        return received

    def another_report(self) -> None:
        """Return when every proxy has made one more."""
        now = time.monotonic()
        until(lambda: len(self._reported) >= len(self.mini.sidecars) and min(self._reported.values()) > now, FLUSHES)
        time.sleep(0.5)  # a report may be of several messages

    def place(self, series: Series, what: str) -> tuple[Series, str]:
        return series, what

    def count(self, place: tuple[Series, str], amount: float) -> None:
        self.all.append((*place, round(amount)))
        self._recorder.count(self._recorder.place(*place), amount)

    def observe(self, place: tuple[Series, str], values: Distribution) -> None:
        self.all.append((*place, values[0]))
        self._recorder.observe(self._recorder.place(*place), values)

    def ask(self, count: int, host: str, **headers: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.mini.proxy, timeout=20)
        with contextlib.closing(connection):
            for _ in range(count):
                said = {name.replace("_", "-"): value for name, value in headers.items()}
                connection.request("GET", f"http://{host}/", headers={"x-call": "counted", **said})
                self.answer = Answer(connection.getresponse())

    def edges(self, service: str) -> list[Edge]:
        period = self.traffic.period(600)
        return [one for one in self.traffic.edges(period.start, period.end) if one.service.startswith(service)]

    def counted(self, reporter: str, service: str, what: str = "requests") -> int:
        return sum(
            count
            for series, kind, count in self.all
            if series.reporter == reporter and series.service.startswith(service) and kind == what
        )


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counted]:
    found = Counted()
    with minimesh(tmp_path_factory.mktemp("mesh"), world(), others=(found.handlers,)) as found.mini:
        found.mini.serve(world())
        yield found


def test_every_call_is_counted_once_by_each_side(counted: Counted):
    numbers = [
        (side, what) for side in ("source", "destination") for what in ("requests", "duration", "response_bytes")
    ]

    def reported(calls: int) -> bool:
        return all(counted.counted(side, "reviews", what) >= calls for side, what in numbers)

    counted.ask(300, "reviews:9080")
    counted.another_report()  # so that a number that is told twice is seen
    counted.ask(200, "reviews:9080")
    until(lambda: reported(500), FLUSHES)
    counted.another_report()
    assert {one: counted.counted(one[0], "reviews", one[1]) for one in numbers} == dict.fromkeys(numbers, 500)
    assert sum(edge.requests for edge in counted.edges("reviews")) == 500


def test_an_edge_names_both_workloads_and_what_their_certificates_prove(counted: Counted):
    """Proxies read the two one after the other: durations may come a report later than the number of calls."""
    counted.ask(30, "ratings:9080")
    until(lambda: [edge.latency.count for edge in counted.edges("ratings")] == [30], FLUSHES)
    (edge,) = counted.edges("ratings")
    assert (edge.source.peer.workload, edge.source.peer.namespace) == ("web-v1", "shop")
    assert edge.source.principal == "spiffe://cluster.local/ns/shop/sa/web"
    assert (edge.destination.peer.workload, edge.destination.peer.revision) == ("ratings-v1", "v1")
    assert edge.destination.principal == "spiffe://cluster.local/ns/shop/sa/ratings"
    assert (edge.service, edge.protocol, edge.security) == ("ratings.shop.svc.cluster.local", "http", "mutual_tls")
    assert edge.codes == (("200", 30),)
    assert edge.success == 1.0
    assert 0.1 < (edge.latency.percentile(1) or 0) < 1000


def test_the_callees_side_knows_the_caller_too(counted: Counted):
    counted.ask(1, "ratings:9080")
    until(lambda: counted.counted("destination", "ratings") > 0, FLUSHES)
    found = {
        (series.source, series.destination.peer.workload)
        for series, *_ in counted.all
        if series.reporter == "destination" and series.service.startswith("ratings")
    }
    ((source, workload),) = found
    assert source.peer.workload == "web-v1"
    assert (source.principal, workload) == ("spiffe://cluster.local/ns/shop/sa/web", "ratings-v1")


def test_an_application_is_not_shown_who_its_caller_says_it_is(counted: Counted):
    counted.ask(1, "ratings:9080", x_weft_peer="forged;shop;forged;v1;x")
    assert "x-weft-peer" not in {name.lower() for name in counted.answer.seen["headers"]}


def test_a_file_gets_a_line_for_each_call_where_the_mesh_wants_one(counted: Counted, tmp_path: Path):
    mesh, file = world(), tmp_path / "calls.json"
    fields = (("code", "%RESPONSE_CODE%"), ("path", "%REQ(:PATH)%"), ("to", "%UPSTREAM_CLUSTER_RAW%"))
    log = FileLog(path=str(file), fields=fields)
    counted.mini.serve(replace(mesh, settings=replace(mesh.settings, access_log=log)))
    counted.ask(2, "ratings:9080")
    until(lambda: file.is_file() and file.read_text().count("\n") >= 4, FLUSHES)
    lines = [json.loads(line) for line in file.read_text().rpartition("\n")[0].splitlines()]
    assert {one["to"] for one in lines} == {"outbound|9080||ratings.shop.svc.cluster.local", "inbound|9080||"}
    assert {(one["code"], one["path"]) for one in lines} == {(200, "/")}


def test_a_call_that_reaches_nobody_is_an_error_of_its_service(counted: Counted):
    mesh = world()
    gone = replace(mesh, workloads=tuple(one for one in mesh.workloads if not one.name.startswith("ratings")))
    counted.mini.serve(gone)
    counted.ask(7, "ratings:9080")
    until(lambda: sum(one.errors for one in counted.edges("ratings")) == 7, FLUSHES)
    assert counted.answer.status == 503
