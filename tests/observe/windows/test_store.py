"""What was counted is found again: exactly, in every resolution, after a restart, and in bounded memory."""

import math
import random
from pathlib import Path

import psutil
import pytest

from weft.kit.value import Labels, labels_of
from weft.observe.promql.columns import Steps
from weft.observe.promql.evaluate import evaluate
from weft.observe.promql.series import NAME, Matcher, Operator
from weft.observe.windows.amounts import sketch_of
from weft.observe.windows.packing import DAY, HOUR, MINUTE, QUARTER, STEP
from weft.observe.windows.sketch import Sketch
from weft.observe.windows.store import Windows

_EVER = "last_over_time(requests_total[1d])"
_BEGIN = 1_700_006_400_000 // DAY * DAY


def _labels(name: str, **labels: str) -> Labels:
    return labels_of({NAME: name, **labels})


def _named(name: str) -> tuple[Matcher, ...]:
    return (Matcher(name=NAME, operator=Operator.EQUAL, value=name),)


def _ask(windows: Windows, query: str, at: int) -> dict[Labels, float]:
    result = evaluate(query, Steps(start=at, end=at, step=1), windows).result
    assert isinstance(result, dict)
    return {labels: column[0] for labels, column in result.items() if column[0] is not None}


def test_what_was_counted_before_the_first_look_is_in_the_increase():
    windows = Windows(None)
    windows.count(_labels("requests_total", code="200"), 7)
    windows.tick(_BEGIN + STEP)
    for step in range(2, 13):
        windows.tick(_BEGIN + step * STEP)
    assert _ask(windows, "requests_total", _BEGIN + MINUTE) == {_labels("requests_total", code="200"): 7.0}
    # Prometheus stretches what it saw in 55 s to the whole minute.
    grown = _ask(windows, "increase(requests_total[1m])", _BEGIN + MINUTE - 1)
    assert list(grown.values()) == [pytest.approx(7 * 60 / 55, rel=0.001)]
    assert windows.increases(_named("requests_total"), _BEGIN, _BEGIN + MINUTE) == [
        (_labels("requests_total", code="200"), 7.0)
    ]


def test_a_step_that_is_not_over_is_not_shown():
    windows = Windows(None)
    windows.tick(_BEGIN)
    windows.count(_labels("requests_total"), 1)
    windows.tick(_BEGIN + STEP - 1)
    assert _ask(windows, "requests_total", _BEGIN + STEP) == {}


def test_percentiles_of_a_query_are_within_one_percent(tmp_path: Path):
    chance = random.Random(3)
    values = [chance.lognormvariate(3, 1) for _ in range(5000)]
    windows = Windows(tmp_path / "windows.db")
    for number, part in enumerate(range(0, len(values), 500), start=1):
        some = values[part : part + 500]
        service = _labels("latency_milliseconds", service=f"s{number % 3}")
        windows.observe(service, Sketch.of_values(some), len(some), math.fsum(some))
        windows.tick(_BEGIN + number * STEP)
    windows.flush()
    at = _BEGIN + 10 * STEP
    for wanted in (0.5, 0.9, 0.95, 0.99):
        exact = sorted(values)[round(wanted * (len(values) - 1))]
        query = f"histogram_quantile({wanted}, sum by (le) (latency_milliseconds_bucket))"
        assert list(_ask(windows, query, at).values()) == [pytest.approx(exact, rel=0.0101)]
        merged = Sketch()
        for _, amount in windows.sums(lambda labels: dict(labels)[NAME] == "latency_milliseconds", _BEGIN, at):
            merged.merge(sketch_of(amount))
        assert merged.quantile(wanted) == pytest.approx(exact, rel=0.0101)
    assert sum(_ask(windows, "latency_milliseconds_count", at).values()) == 5000
    assert sum(_ask(windows, "latency_milliseconds_sum", at).values()) == pytest.approx(math.fsum(values))
    assert sum(_ask(windows, 'latency_milliseconds_bucket{le="+Inf"}', at).values()) == 5000


@pytest.mark.slow
def test_days_of_counting_add_up_in_every_resolution_and_over_restarts(tmp_path: Path):
    chance = random.Random(11)
    path, now = tmp_path / "windows.db", _BEGIN
    windows = Windows(path)
    events: list[tuple[int, str, int]] = []
    while now < _BEGIN + 4 * DAY:
        now += chance.choice((STEP, STEP, MINUTE, 7 * MINUTE, HOUR))
        service, amount = chance.choice("abc"), chance.randrange(1, 9)
        windows.count(_labels("requests_total", service=service), amount)
        events.append((now, service, amount))
        windows.tick(now)
        if chance.random() < 0.3:
            windows.flush()
        if chance.random() < 0.05:
            windows.close()
            windows = Windows(path)
    windows.flush()
    for back, step in ((HOUR, STEP), (20 * HOUR, MINUTE), (3 * DAY + HOUR, QUARTER)):
        for _ in range(20):
            start = (now - chance.randrange(back)) // step * step
            end = start + chance.randrange(1, 50) * step
            assert _sums(windows, start, end) == _model(events, start, end)
    for _ in range(60):
        start, end = sorted(chance.randrange(_BEGIN - HOUR, now + HOUR) // QUARTER * QUARTER for _ in range(2))
        assert _sums(windows, start, end) == _model(events, start, end)
        assert _sums(windows, start, now + STEP) == _model(events, start, now)
    totals = {dict(labels)["service"]: value for labels, value in _ask(windows, _EVER, now).items()}
    assert totals == _model(events, 0, now)
    early = _BEGIN + DAY
    then = {dict(labels)["service"]: value for labels, value in _ask(windows, _EVER, early).items()}
    assert then == _model(events, 0, early)


def _sums(windows: Windows, start: int, end: int) -> dict[str, float]:
    return {dict(labels)["service"]: sum_ for labels, sum_ in windows.increases(_named("requests_total"), start, end)}


def _model(events: list[tuple[int, str, int]], start: int, end: int) -> dict[str, float]:
    totals: dict[str, float] = {}
    for moment, service, amount in events:
        if start < moment <= end:
            totals[service] = totals.get(service, 0.0) + amount
    return totals


def test_a_sum_of_a_long_time_has_nothing_of_what_was_before_and_all_that_was_in_it(tmp_path: Path):
    windows, chance = Windows(tmp_path / "windows.db"), random.Random(2)
    labels, now = _labels("latency_milliseconds"), _BEGIN
    counted: list[tuple[int, Sketch, float]] = []
    while now < _BEGIN + 2 * DAY:
        now += chance.choice((STEP, 7 * MINUTE, HOUR))
        # What proxies tell of a cell need not be a whole number, and sums of others are not exact.
        early = now < _BEGIN + DAY
        sketch = Sketch({chance.randrange(0, 20) if early else chance.randrange(40, 60): chance.random()})
        windows.observe(labels, sketch, sketch.total(), chance.random())
        counted.append((now, sketch, sketch.total()))
        windows.tick(now)
        windows.flush()
    for start, end in ((_BEGIN, now), (_BEGIN + DAY, now), (_BEGIN + HOUR, _BEGIN + DAY), (_BEGIN + DAY, now + STEP)):
        expected = Sketch()
        for moment, sketch, _ in counted:
            if start < moment <= end:
                expected.merge(sketch)
        ((_, amount),) = windows.sums(lambda _: True, start, end)
        assert sketch_of(amount).counts == pytest.approx(expected.counts)
        assert sketch_of(amount).counts.keys() == expected.counts.keys()


def test_what_is_older_than_thirty_days_is_forgotten(tmp_path: Path):
    windows = Windows(tmp_path / "windows.db")
    windows.count(_labels("requests_total", service="old"), 1)
    windows.tick(_BEGIN + STEP)
    windows.flush()
    for day in range(1, 33):
        windows.count(_labels("requests_total", service="new"), 1)
        windows.tick(_BEGIN + day * DAY)
        windows.flush()
    assert len(windows) == 1
    assert windows.increases(_named("requests_total"), _BEGIN, _BEGIN + 2 * DAY) == []
    whole = windows.increases(_named("requests_total"), _BEGIN + 3 * DAY, _BEGIN + 32 * DAY)
    assert [amount for _, amount in whole] == [29.0]


@pytest.mark.slow
def test_a_million_names_cost_no_more_than_20_megabytes_and_lose_no_count():
    windows, process = Windows(None), psutil.Process()
    before = process.memory_info().rss
    for number in range(1_000_000):
        windows.count(((NAME, "requests_total"), ("path", f"/{number}"), ("reporter", "source")), 1)
    windows.tick(_BEGIN + STEP)
    used = process.memory_info().rss - before
    assert used < 20_000_000
    assert sum(_ask(windows, "sum(requests_total)", _BEGIN + STEP).values()) == 1_000_000
    assert windows.lost > 900_000


def test_a_file_that_is_none_of_ours_is_begun_anew(tmp_path: Path):
    path = tmp_path / "windows.db"
    path.write_bytes(b"not a database" * 1000)
    windows = Windows(path)
    windows.count(_labels("requests_total"), 1)
    windows.tick(_BEGIN + STEP)
    windows.close()
    assert len(Windows(path)) == 1


def test_a_disk_that_fails_costs_nothing_of_the_last_hour(tmp_path: Path):
    windows = Windows(tmp_path / "windows.db")
    windows._archive._database.execute("PRAGMA query_only = 1")
    windows.count(_labels("requests_total"), 3)
    windows.tick(_BEGIN + STEP)
    windows.tick(_BEGIN + MINUTE + STEP)
    windows.flush()
    assert windows.failed == 1
    assert [amount for _, amount in windows.increases(_named("requests_total"), _BEGIN, _BEGIN + HOUR)] == [3.0]
