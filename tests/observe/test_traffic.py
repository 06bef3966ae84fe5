"""Edges of a time: every call once, errors and times of it, as far back as the windows go."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from tests.observe.telling import Increment, tell
from weft.kit.clock import FakeClock
from weft.model.cells import cell_of
from weft.model.reporting import peer_of
from weft.model.series import End, Series
from weft.model.standard_metrics import series_of_labels, standard_labels
from weft.observe.edges import Edge
from weft.observe.traffic import Traffic
from weft.observe.windows.packing import DAY, HOUR, MINUTE, QUARTER, STEP
from weft.observe.windows.store import Windows

WEB = End(peer=peer_of("web-1", "shop", (("app", "web"), ("version", "v1"))), principal="spiffe://a/ns/shop/sa/web")
REVIEWS = End(
    peer=peer_of("reviews-1", "shop", (("app", "reviews"), ("version", "v1"))),
    principal="spiffe://a/ns/shop/sa/reviews",
)
CALLS = Series(
    reporter="source", source=WEB, destination=REVIEWS, service="reviews.shop", protocol="http", code="200", flags="-"
)


def requests(series: Series, count: int = 1) -> Increment:
    return (series, "requests", count, float(count), ())


class Told:
    """Windows, their clock, and what is read from them."""

    def __init__(self, capacity: int = 10_000) -> None:
        self.clock = FakeClock()
        self.windows = Windows(None, capacity)
        self.traffic = Traffic(self.windows, self.clock)
        self.windows.tick(self.now)

    @property
    def now(self) -> int:
        return round(self.clock.now() * 1000)

    def tell(self, *increments: Increment) -> None:
        tell(self.windows, *increments)

    def advance(self, seconds: float) -> None:
        """As a control plane does that runs on: the open step ends when it is over."""
        self.windows.tick(self.now + STEP)
        self.clock.advance(seconds)
        self.windows.tick(self.now)

    def edges(self, window: float, at: float | None = None) -> tuple[Edge, ...]:
        period = self.traffic.period(window, at)
        return self.traffic.edges(period.start, period.end)


@pytest.mark.parametrize(
    "series",
    [
        CALLS,
        replace(CALLS, reporter="destination", source=End(), grpc="14", protocol="grpc"),
        replace(CALLS, protocol="tcp", code="", flags=""),
        replace(CALLS, route="canary"),
    ],
)
def test_labels_say_which_series_they_were_made_of(series: Series):
    found = series_of_labels(standard_labels(series))
    assert found == replace(series, flags=series.flags or "-")
    assert (found.failed, found.security) == (series.failed, series.security)


def test_edges_can_be_told_apart_by_the_rule_that_sent_the_calls():
    told = Told()
    told.tell(requests(CALLS, 5), requests(replace(CALLS, route="canary"), 3))
    told.tell(requests(replace(CALLS, route="canary", code="503"), 1))
    (edge,) = told.edges(60)
    assert (edge.requests, edge.errors, edge.route) == (9, 1, "")
    period = told.traffic.period(60)
    found = told.traffic.edges(period.start, period.end, routes=True)
    assert [(one.route, one.requests, one.errors) for one in found] == [("", 5, 0), ("canary", 4, 1)]


def test_calls_are_summed_by_edge_with_their_codes_flags_and_errors():
    told = Told()
    told.tell(requests(CALLS, 90), requests(replace(CALLS, code="404"), 7), requests(replace(CALLS, code="503"), 2))
    told.tell(requests(CALLS, 1), requests(replace(CALLS, code="0", flags="DC"), 1))
    (edge,) = told.edges(60)
    assert (edge.requests, edge.errors) == (101, 3)
    assert edge.codes == (("0", 1), ("200", 91), ("404", 7), ("503", 2))
    assert edge.flags == (("DC", 1),)
    assert edge.security == "mutual_tls"


def test_a_status_of_grpc_is_what_counts_for_grpc():
    told = Told()
    grpc = replace(CALLS, protocol="grpc", grpc="0")
    told.tell(requests(grpc, 8), requests(replace(grpc, grpc="14"), 2))
    (edge,) = told.edges(60)
    assert (edge.requests, edge.errors, edge.codes) == (10, 2, (("0", 8), ("14", 2)))


def test_connections_that_broke_are_no_calls_that_failed():
    told = Told()
    tcp = replace(CALLS, protocol="tcp", code="", flags="")
    told.tell((tcp, "opened", 3, 3.0, ()), (replace(tcp, flags="-"), "closed", 2, 2.0, ()))
    told.tell((replace(tcp, flags="UF"), "closed", 1, 1.0, ()), (replace(tcp, flags="-"), "sent", 70, 70.0, ()))
    (edge,) = told.edges(60)
    assert (edge.opened, edge.closed, edge.broken, edge.errors, edge.sent) == (3, 3, 1, 0, 70)
    assert edge.flags == (("UF", 1),)


def test_a_call_that_both_sides_tell_is_counted_once():
    told = Told()
    told.tell(requests(CALLS, 5), requests(replace(CALLS, reporter="destination"), 5))
    assert [(one.reporter, one.requests) for one in told.edges(60)] == [("source", 5)]


def test_a_caller_without_a_sidecar_is_told_by_the_callee():
    told = Told()
    stranger = replace(CALLS, reporter="destination", source=End())
    told.tell(requests(CALLS, 5), requests(stranger, 3))
    assert [(one.reporter, one.requests, one.security) for one in told.edges(60)] == [
        ("source", 5, "mutual_tls"),
        ("destination", 3, "none"),
    ]


def test_only_the_window_is_counted():
    told = Told()
    told.tell(requests(CALLS, 5))
    told.advance(100)
    told.tell(requests(CALLS, 3))
    assert [one.requests for one in told.edges(60)] == [3]
    assert [one.requests for one in told.edges(300)] == [8]


def test_a_past_window_is_found_in_every_resolution():
    told = Told()
    begun = told.now
    counted: list[tuple[int, int]] = []
    for number in range(300):
        told.advance((5, 60, 780, 3600, 1800)[number % 5])
        count = number % 7 + 1
        counted.append((told.now + STEP, count))
        told.tell(requests(CALLS, count), (CALLS, "duration", count, 1.0, ((100, count),)))
        told.advance(5)
        if number % 3 == 0:
            told.windows.flush()
    told.windows.flush()
    assert told.now - begun > 4 * DAY

    def during(start: int, end: int) -> int:
        found = told.traffic.edges(start, end)
        assert sum(one.latency.count for one in found) == sum(one.requests for one in found)
        return sum(one.requests for one in found)

    def really(start: int, end: int) -> int:
        return sum(count for moment, count in counted if start < moment <= end)

    for back, length, step in (
        (HOUR, HOUR, STEP),
        (8 * HOUR, 3 * HOUR, MINUTE),
        (3 * DAY, DAY, QUARTER),
        (3 * DAY, 3 * DAY, QUARTER),
        (90 * HOUR, 90 * HOUR, QUARTER),
    ):
        start = (told.now - back) // step * step
        end = min(start + length, told.now // STEP * STEP)
        assert during(start, end) == really(start, end) > 0, (back, length)


def test_a_window_that_ended_earlier_is_asked_by_its_end():
    told = Told()
    told.tell(requests(CALLS, 5))
    told.advance(600)
    then = told.clock.now() - 570
    assert [one.requests for one in told.edges(60, at=then)] == [5]
    assert told.edges(60) == ()


def test_rates_are_over_the_time_that_is_known():
    told = Told()
    told.tell(requests(CALLS, 5))
    told.advance(10)
    told.tell(requests(CALLS, 15))
    told.advance(5)
    (edge,) = told.edges(600)
    assert 10 <= edge.seconds <= 20
    assert edge.rate == 20 / edge.seconds


def test_sizes_are_summed_and_are_no_times():
    told = Told()
    told.tell((CALLS, "response_bytes", 2, 700.0, ((8, 2),)), (CALLS, "duration", 2, 1.0, ((100, 2),)))
    (edge,) = told.edges(60)
    assert (edge.response_bytes, edge.latency.count) == (700, 2)


def test_what_is_not_asked_for_is_not_read():
    told = Told()
    told.tell(requests(CALLS, 2), (CALLS, "duration", 2, 1.0, ((100, 2),)))
    (edge,) = told.traffic.edges(0, told.now + STEP, whats=frozenset(("requests",)))
    assert (edge.requests, edge.latency.count) == (2, 0)


def test_a_share_of_calls_within_a_time_is_told():
    told = Told()
    quick, slow = cell_of(12.34), cell_of(399.5)
    told.tell((CALLS, "duration", 99, 1.0, ((quick, 99),)), (CALLS, "duration", 1, 1.0, ((slow, 1),)))
    (edge,) = told.edges(60)
    assert edge.latency.within(300) == pytest.approx(99)
    assert edge.latency.within(500) == pytest.approx(100)
    assert edge.latency.percentile(99.5) == pytest.approx(400, rel=0.01)
    assert replace(edge.latency, buckets=()).percentile(50) is None


def test_what_found_no_place_is_an_edge_of_its_own_and_known_kinds_go_on():
    told = Told(capacity=10)
    told.tell(requests(CALLS))
    told.tell(*(requests(replace(CALLS, service=f"s{number}")) for number in range(30)))
    told.tell(requests(CALLS))
    counts = _by_service(told.edges(60))
    assert counts["reviews.shop"] == 2
    assert counts["other"] == 21
    assert sum(counts.values()) == 32


def _by_service(edges: Iterable[Edge]) -> dict[str, int]:
    return {one.service: one.requests for one in edges}
