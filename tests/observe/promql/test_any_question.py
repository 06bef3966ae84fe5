"""Questions that nobody thought of, over series that come and go, are answered as by a real Prometheus."""

import math
import random
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

import httpx2
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.observe.promql.comparing import same
from tests.observe.promql.real_prometheus import PROMETHEUS, PROMTOOL, prometheus_of
from tests.observe.promql.samples import BEGIN, END, World
from weft.kit.value import labels_of
from weft.observe.promql.columns import Steps
from weft.observe.promql.evaluate import evaluate
from weft.observe.promql.rendering import range_answer
from weft.observe.promql.series import NAME, Series

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROMETHEUS is None or PROMTOOL is None, reason="there is no Prometheus on this machine"),
]
_OF_COUNTERS = ("rate", "increase", "irate", "resets", "changes", "count_over_time")
_OF_GAUGES = (
    "delta", "idelta", "deriv", "avg_over_time", "min_over_time", "max_over_time", "sum_over_time", "last_over_time",
    "stdvar_over_time", "present_over_time", "changes",
)  # fmt: skip
_GROUPINGS = ("", " by (group)", " without (instance)", " by (group, instance)", " by (absent)")


def _world() -> World:
    """Counters that begin at 0, stand, leap and begin again, and gauges, each scraped as it likes, with gaps.

    No sample lies on a whole second, for versions differ in whether a border belongs to a range.
    """
    chance, series = random.Random(12), []
    for number in range(12):
        times = _times(chance)
        labels = {"group": "abc"[number % 3], "instance": f"i{number}"}
        series.append(Series(labels_of({NAME: "any_total"} | labels), times, _counted(times, chance)))
        gauge = [chance.choice((0.0, -3.5, chance.uniform(-100, 100))) for _ in times]
        if number % 4 == 0:
            gauge[:: len(gauge) // 7] = [math.nan] * len(gauge[:: len(gauge) // 7])
        series.append(Series(labels_of({NAME: "any_gauge"} | labels), times, gauge))
    return World(series)


def _times(chance: random.Random) -> list[int]:
    every, now = chance.choice((5_000, 15_000, 60_000)), BEGIN + chance.choice((0, 0, 900_000)) + 377
    times = []
    while now < END:
        times.append(now)
        now += every if chance.random() < 0.98 else chance.choice((2, 7, 100)) * every
    return times[: bisect_left(times, END - chance.choice((0, 0, 600_000)))]


def _counted(times: list[int], chance: random.Random) -> list[float]:
    value, values = 0.0, list[float]()
    rises = chance.choice((0.02, 0.3, 1.0))
    for place, _ in enumerate(times):
        if place and chance.random() < rises:
            value += chance.choice((1.0, chance.random(), 1000.0))
        if chance.random() < 0.01:
            value = 0.0
        values.append(value)
    return values


_WORLD = _world()


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A client of a Prometheus that has the world."""
    directory = tmp_path_factory.mktemp("prometheus")
    with prometheus_of(_WORLD, directory) as address, httpx2.Client(base_url=f"{address}/api/v1") as client:
        yield client


class Asked(NamedTuple):
    """A question of a range."""

    query: str
    steps: Steps


@st.composite
def _selectors(draw: st.DrawFn, name: str) -> str:
    matcher = draw(st.sampled_from(("", '{group="a"}', '{group!~"a|c"}', '{instance=~"i1.*"}', '{instance="none"}')))
    length = draw(st.integers(1, 1500))
    offset = draw(st.sampled_from(("", "", " offset 7m", " offset -90s")))
    return f"{name}{matcher}[{length}s]{offset}"


@st.composite
def _vectors(draw: st.DrawFn) -> str:
    counter = draw(st.booleans())
    function = draw(st.sampled_from(_OF_COUNTERS if counter else _OF_GAUGES))
    inner = f"{function}({draw(_selectors('any_total' if counter else 'any_gauge'))})"
    if draw(st.booleans()):
        operator = draw(st.sampled_from(("sum", "avg", "min", "max", "count", "group")))
        inner = f"{operator}{draw(st.sampled_from(_GROUPINGS))} ({inner})"
    suffix = draw(st.sampled_from(("", "", " * 2", " > 0.12345", " < bool 3.21", " / 0", " and on() vector(1)")))
    return f"{inner}{suffix}"


@st.composite
def _questions(draw: st.DrawFn) -> Asked:
    query = draw(_vectors())
    if draw(st.integers(0, 3)) == 0:
        operator = draw(st.sampled_from(("+", "-", "/", ">", "and", "or", "unless")))
        query = f"sum by (group) ({query}) {operator} sum by (group) ({draw(_vectors())})"
    start = BEGIN + 1000 * draw(st.integers(-60, 3000))
    step, count = 1000 * draw(st.integers(1, 400)), draw(st.integers(0, 40))
    return Asked(query, Steps(start=start, end=start + count * step, step=step))


@settings(max_examples=150)
@given(asked=_questions())
def test_any_question_is_answered_as_by_prometheus(real: httpx2.Client, asked: Asked):
    steps = asked.steps
    ours = msgspec.json.decode(msgspec.json.encode(range_answer(evaluate(asked.query, steps, _WORLD), steps)))
    form = {"query": asked.query, "start": steps.start / 1000, "end": steps.end / 1000, "step": steps.step / 1000}
    theirs = real.post("/query_range", data={key: str(value) for key, value in form.items()}).json()
    assert theirs["status"] == "success", theirs
    same(ours, theirs["data"], ordered=True)
