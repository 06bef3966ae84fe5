"""A small world of series, as a mesh of five services makes them, for every test of queries."""

import math
import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from weft.kit.value import labels_of
from weft.observe.promql.series import Matcher, Series, accepted

BEGIN = 1_700_000_000_000
"""When the world begins, in milliseconds; an hour of it exists."""
END = BEGIN + 3_600_000
_SCRAPE = 15_000
_BOUNDS = ("0.5", "1", "5", "10", "25", "50", "100", "250", "500", "1000", "+Inf")
_EDGES = (
    ("web", "reviews", "v1", "200"),
    ("web", "reviews", "v2", "200"),
    ("web", "reviews", "v2", "503"),
    ("reviews", "ratings", "v1", "200"),
    ("web", "orders", "v1", "404"),
)


class World:
    """Series in memory, as a source for queries."""

    def __init__(self, series: Iterable[Series]) -> None:
        self.series = tuple(series)

    def select(self, matchers: tuple[Matcher, ...], start: int, end: int) -> Iterable[Series]:
        """The series that match, cut to the times asked for."""
        for one in self.series:
            if accepted(matchers, one.labels):
                first, last = bisect_left(one.times, start), bisect_right(one.times, end)
                if last > first:
                    yield Series(one.labels, one.times[first:last], one.values[first:last])


def mesh_world(seed: int = 7) -> World:
    """Counters with resets, histograms, gauges with NaN and infinities, series that begin late and end early.

    No sample lies on a whole second: Prometheus before 3 counts one at the older border of a range, 3 does not. And
    counters begin at 0: between these versions it changed how far a rate is stretched towards a counter's birth.
    """
    chance = random.Random(seed)
    series: list[Series] = []
    for place, edge in enumerate(_EDGES):
        begin = BEGIN + 377 + 1000 * place + (1_200_000 if place == 3 else 0)
        end = END - (1_500_000 if place == 2 else 0)
        times = list(range(begin, end, _SCRAPE))
        series += _edge(edge, times, chance)
    series += _gauges(chance)
    return World(series)


def _edge(edge: tuple[str, str, str, str], times: list[int], chance: random.Random) -> Iterable[Series]:
    source, target, version, code = edge
    labels = {
        "reporter": "destination",
        "source_workload": source,
        "destination_service": f"{target}.shop.svc.cluster.local",
        "destination_version": version,
        "response_code": code,
    }
    counts, buckets = [], [[0.0] * len(_BOUNDS)]
    total = 0.0
    for number, _ in enumerate(times):
        if number == 90:
            total, buckets[-1] = 0.0, [0.0] * len(_BOUNDS)
        grown = chance.randrange(0, 40) if number else 0
        total += grown
        counts.append(total)
        buckets.append(_spread(buckets[-1], grown, chance))
    yield Series(labels_of(labels | {"__name__": "istio_requests_total"}), times, counts)
    for place, bound in enumerate(_BOUNDS):
        named = labels | {"__name__": "istio_request_duration_milliseconds_bucket", "le": bound}
        yield Series(labels_of(named), times, [one[place] for one in buckets[1:]])


def _spread(before: list[float], grown: int, chance: random.Random) -> list[float]:
    rises = sorted(chance.randrange(len(_BOUNDS)) for _ in range(grown))
    return [count + sum(1 for rise in rises if rise <= place) for place, count in enumerate(before)]


def _gauges(chance: random.Random) -> Iterable[Series]:
    times = list(range(BEGIN + 123, END, 30_000))
    for instance in ("a", "b", "c"):
        values = [chance.uniform(-50, 50) for _ in times]
        if instance == "c":
            values[20:40] = [math.nan, math.inf, -math.inf, 0.0, -0.0] * 4
        labels = labels_of({"__name__": "temperature", "instance": instance, "zone": "x" if instance == "a" else "y"})
        yield Series(labels, times, values)
    capacity = labels_of({"__name__": "capacity", "zone": "y", "size": "large"})
    yield Series(capacity, times, [float(place % 7) for place, _ in enumerate(times)])
