"""Edges of the last minutes: every call once, errors and times of it, in bounded memory."""

import itertools
import tracemalloc

import pytest
from msgspec.structs import replace

from weft.kit.clock import FakeClock
from weft.model.reporting import MICROSECOND_BOUNDS, peer_of
from weft.model.series import End, Series
from weft.observe.flows import MOST_CELLS, MOST_SERIES, STEP, Flows
from weft.observe.increments import Increment

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
    """Flows and their clock."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.flows = Flows(self.clock)

    def tell(self, *increments: Increment) -> None:
        self.flows.add(self.clock.now(), increments)


def test_calls_are_summed_by_edge_with_their_codes_and_errors():
    told = Told()
    told.tell(requests(CALLS, 90), requests(replace(CALLS, code="404"), 7), requests(replace(CALLS, code="503"), 2))
    told.tell(requests(CALLS, 1), requests(replace(CALLS, code="0", flags="DC"), 1))
    (edge,) = told.flows.edges(60)
    assert (edge.requests, edge.errors) == (101, 3)
    assert edge.codes == (("0", 1), ("200", 91), ("404", 7), ("503", 2))
    assert edge.security == "mutual_tls"


def test_a_status_of_grpc_is_what_counts_for_grpc():
    told = Told()
    grpc = replace(CALLS, protocol="grpc", grpc="0")
    told.tell(requests(grpc, 8), requests(replace(grpc, grpc="14"), 2))
    (edge,) = told.flows.edges(60)
    assert (edge.requests, edge.errors, edge.codes) == (10, 2, (("0", 8), ("14", 2)))


def test_a_call_that_both_sides_tell_is_counted_once():
    told = Told()
    told.tell(requests(CALLS, 5), requests(replace(CALLS, reporter="destination"), 5))
    assert [(one.reporter, one.requests) for one in told.flows.edges(60)] == [("source", 5)]


def test_a_caller_without_a_sidecar_is_told_by_the_callee():
    told = Told()
    stranger = replace(CALLS, reporter="destination", source=End())
    told.tell(requests(CALLS, 5), requests(stranger, 3))
    assert [(one.reporter, one.requests, one.security) for one in told.flows.edges(60)] == [
        ("source", 5, "mutual_tls"),
        ("destination", 3, "none"),
    ]


def test_only_the_window_is_counted():
    told = Told()
    told.tell(requests(CALLS, 5))
    told.clock.advance(100)
    told.tell(requests(CALLS, 3))
    assert [one.requests for one in told.flows.edges(60)] == [3]
    assert [one.requests for one in told.flows.edges(300)] == [8]


def test_what_is_older_than_the_store_is_forgotten():
    told = Told()
    told.tell(requests(CALLS, 5))
    told.clock.advance(1000)
    told.tell(requests(CALLS, 3))
    assert [one.requests for one in told.flows.edges(10_000)] == [3]


def test_rates_are_over_the_time_that_is_known():
    told = Told()
    told.tell(requests(CALLS, 5))
    told.clock.advance(10)
    told.tell(requests(CALLS, 15))
    (edge,) = told.flows.edges(600)
    assert 10 <= edge.seconds <= 10 + STEP
    assert edge.rate == 20 / edge.seconds


def test_percentiles_are_within_the_width_of_a_bucket():
    told = Told()
    index = next(i for i, bound in enumerate(MICROSECOND_BOUNDS) if bound >= 20_000)
    told.tell((CALLS, "duration", 99, 1.0, ((index, 99),)), (CALLS, "duration", 1, 1.0, ((index + 20, 1),)))
    (edge,) = told.flows.edges(60)
    assert edge.latency.count == 100
    assert 18.0 <= edge.latency.percentile(50) <= 20.0
    assert edge.latency.percentile(99.5) > 39
    assert replace(edge.latency, buckets=()).percentile(50) is None


def test_sizes_are_summed_and_are_no_times():
    told = Told()
    told.tell((CALLS, "response_bytes", 2, 700.0, ((8, 2),)), (CALLS, "duration", 2, 1.0, ((100, 2),)))
    (edge,) = told.flows.edges(60)
    assert (edge.response_bytes, edge.latency.buckets) == (700, ((100, 2),))


def test_neighbouring_bounds_differ_by_a_tenth_at_most_between_a_tenth_of_a_millisecond_and_10_s():
    fine = [bound for bound in MICROSECOND_BOUNDS if 100 <= bound <= 9_500_000]
    assert all(after / before <= 1.1 + 1e-9 for before, after in itertools.pairwise(fine))


@pytest.mark.slow
def test_a_hundred_thousand_kinds_of_calls_cost_a_bounded_amount_of_memory():
    told = Told()
    tracemalloc.start()
    for number in range(100_000 // 50):
        increments = []
        for part in range(50):
            host = f"host-{number}-{part}.example.com"
            peer = replace(REVIEWS.peer, workload=host, service=host)
            series = replace(CALLS, service=host, destination=End(peer=peer))
            increments.append((series, "requests", 1, 1.0, ((7, 1),)))
        told.tell(*increments)
        if number % 100 == 0:
            told.clock.advance(STEP)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert told.flows.kinds <= MOST_SERIES
    assert size < 20_000_000
    assert told.flows.overflowed > 90_000
    edges = told.flows.edges(900)
    assert len(edges) <= MOST_CELLS
    assert sum(one.requests for one in edges) == 100_000
    assert next(one for one in edges if one.service == "other").requests > 90_000


def test_a_known_kind_is_counted_when_there_is_no_room_for_new_ones():
    told = Told()
    told.tell(requests(CALLS))
    told.tell(*(requests(replace(CALLS, service=f"s{number}")) for number in range(MOST_SERIES + 10)))
    told.tell(requests(CALLS))
    assert next(one.requests for one in told.flows.edges(60) if one.service == "reviews.shop") == 2
