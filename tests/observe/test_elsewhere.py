"""Traffic of a real Prometheus is the same traffic; without one, what is kept here is told."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs

import pytest
from msgspec.structs import replace

from tests.observe.promql.real_prometheus import PROMETHEUS, PROMTOOL, prometheus_of
from tests.observe.promql.real_victoria_metrics import VICTORIA_METRICS, victoria_metrics_of
from tests.observe.promql.samples import World
from tests.observe.telling import tell
from tests.observe.test_traffic import CALLS, Told, requests
from weft.model.cells import cell_of
from weft.observe import elsewhere
from weft.observe.edges import Edge
from weft.observe.elsewhere import Elsewhere
from weft.observe.signals import By, signals_of
from weft.observe.traffic import Traffic
from weft.observe.windows.packing import STEP

_WINDOW = 300.0
_BYTES = replace(CALLS, service="orders.shop", protocol="tcp", code="", flags="-")


def _told() -> Told:
    """Twenty calls in each of many steps, of which five fail, and a connection with its bytes."""
    told = Told()
    failed = replace(CALLS, code="503")
    for _ in range(80):
        cells = ((cell_of(12.0), 15), (cell_of(180.0), 5))
        tell(told.windows, requests(CALLS, 15), requests(failed, 5))
        tell(told.windows, (CALLS, "duration", 20, 15 * 12.0 + 5 * 180.0, cells))
        tell(told.windows, (CALLS, "response_bytes", 20, 20_480.0, ((cell_of(1000.0), 20),)))
        tell(told.windows, (_BYTES, "opened", 2, 2.0, ()), (_BYTES, "sent", 400, 400.0, ()))
        told.advance(STEP / 1000)
    return told


def _edges(traffic: Traffic) -> dict[str, Edge]:
    period = traffic.period(_WINDOW)
    return {one.service: one for one in traffic.edges(period.start, period.end - STEP)}


_PROMETHEUS = pytest.param(
    prometheus_of,
    id="prometheus",
    marks=pytest.mark.skipif(not (PROMETHEUS and PROMTOOL), reason="Debian's prometheus is not installed"),
)
_VICTORIA_METRICS = pytest.param(
    victoria_metrics_of,
    id="victoria-metrics",
    marks=pytest.mark.skipif(not VICTORIA_METRICS, reason="Debian's victoria-metrics is not installed"),
)


@pytest.mark.slow
@pytest.mark.parametrize("server_of", [_PROMETHEUS, _VICTORIA_METRICS])
def test_edges_of_another_server_are_those_of_the_windows(
    server_of: Callable[[World, Path], AbstractContextManager[str]], tmp_path: Path
):
    told = _told()
    with server_of(World(told.windows.select((), 0, told.now)), tmp_path) as address:
        theirs = _edges(Traffic(Elsewhere(address, Told().windows), told.clock))
    ours = _edges(told.traffic)
    assert set(theirs) == set(ours) == {"reviews.shop", "orders.shop"}
    for service, edge in ours.items():
        other = theirs[service]
        assert (other.source, other.destination, other.security, other.protocol) == (
            edge.source, edge.destination, edge.security, edge.protocol,
        )  # fmt: skip
        for name in ("requests", "errors", "response_bytes", "opened", "sent"):
            assert getattr(other, name) == pytest.approx(getattr(edge, name), rel=0.02), name
        assert other.latency.count == pytest.approx(edge.latency.count, rel=0.02)
        for percent in (50.0, 99.0) if edge.requests else ():
            assert other.latency.percentile(percent) == pytest.approx(edge.latency.percentile(percent), rel=0.02)
    (row, _) = signals_of(theirs.values(), By.SERVICE)[::-1]
    assert row.success == pytest.approx(0.75)


def test_where_no_prometheus_answers_what_is_kept_here_is_told():
    told = _told()
    assert _edges(Traffic(Elsewhere("http://127.0.0.1:1", told.windows), told.clock)) == _edges(told.traffic)


class _Asked(BaseHTTPRequestHandler):
    """Answers with nothing, and keeps what it was asked."""

    forms: ClassVar[list[dict[str, list[str]]]] = []

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["content-length"]))
        self.forms.append(parse_qs(content.decode()))
        body = b'{"status":"success","data":{"resultType":"vector","result":[]}}'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_who_would_answer_for_half_a_minute_ago_is_told_not_to():
    """VictoriaMetrics, where it is asked for now: ``-search.latencyOffset``."""
    told = _told()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Asked) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_port}"
            _edges(Traffic(Elsewhere(address, told.windows), told.clock))
        finally:
            server.shutdown()
            thread.join()
    assert _Asked.forms
    assert all(form["nocache"] == ["1"] for form in _Asked.forms)


@contextmanager
def _silent() -> Iterator[str]:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def take() -> None:
            try:
                while True:
                    taken.append(server.accept()[0])
            except OSError:
                pass

        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for one in taken:
                one.close()


def test_a_prometheus_that_hangs_is_waited_for_once_and_not_for_ever(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(elsewhere, "_TIMEOUT", 0.3)
    told = _told()
    with _silent() as address:
        begun = time.monotonic()
        assert _edges(Traffic(Elsewhere(address, told.windows), told.clock)) == _edges(told.traffic)
        assert time.monotonic() - begun < 5
