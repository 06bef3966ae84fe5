"""Queries of many distributions are answered from wide cells: as from exact ones, and from both in one file."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.kit.value import labels_of
from weft.model.cells import ZERO, cell_of, lower_of, upper_of
from weft.observe.promql.columns import Rows, Steps
from weft.observe.promql.evaluate import evaluate
from weft.observe.promql.series import NAME
from weft.observe.windows.amounts import COUNT, TOTAL
from weft.observe.windows.coarse import APART, BOUNDS, coarse_of, wide
from weft.observe.windows.packing import DAY, HOUR, MINUTE, STEP, Stretch
from weft.observe.windows.sketch import Sketch
from weft.observe.windows.store import Windows

_BEGIN = 1_700_006_400_000 // DAY * DAY
_BUCKETS = "sum by (le) (increase(latency_milliseconds_bucket[1h]))"
_MANY = 60


@given(cell=st.integers(-1500, 3000))
def test_a_wide_cell_ends_at_a_bound_or_where_the_next_begins(cell: int):
    last = wide(cell)
    assert cell <= last < cell + APART
    assert wide(last) == last
    assert wide(last + 1) > last
    ends = {upper_of(last)} if (last % APART) else set()
    assert ends <= set(map(float, BOUNDS))


def test_bounds_of_istio_are_exact_in_wide_cells():
    for bound in BOUNDS:
        below, above = cell_of(bound) - 1, cell_of(bound)
        assert wide(below) == below
        assert lower_of(above) == bound
        assert wide(above) > below


def test_what_is_no_cell_stays_and_counters_have_none():
    amount = {ZERO: 1.0, 5: 2.0, 6: 3.0, COUNT: 6.0, TOTAL: 60.0}
    coarse = coarse_of(Stretch(base=amount, steps=((1, amount),)))
    assert coarse is not None
    assert coarse.base == coarse.steps[0][1] == {ZERO: 1.0, wide(5): 5.0, COUNT: 6.0, TOTAL: 60.0}
    assert coarse_of(Stretch(base={TOTAL: 1.0}, steps=((1, {TOTAL: 2.0}),))) is None


def _windows(path: Path | None) -> tuple[Windows, int]:
    """An hour and some minutes of many distributions, spread widely."""
    chance, windows, now = random.Random(8), Windows(path), _BEGIN
    while now < _BEGIN + HOUR + 5 * MINUTE:
        now += MINUTE // 2
        for number in range(_MANY):
            sketch = Sketch.of_values(chance.lognormvariate(3, 1.5) for _ in range(3))
            labels = labels_of({NAME: "latency_milliseconds", "service": f"s{number}"})
            windows.observe(labels, sketch, 3, 1.0)
        windows.tick(now)
    windows.flush()
    return windows, now


def _asked(windows: Windows, query: str, now: int) -> Rows:
    rows = evaluate(query, Steps(start=now - HOUR // 2, end=now, step=5 * MINUTE), windows).result
    assert isinstance(rows, dict)
    return rows


def test_many_distributions_are_read_from_wide_cells_with_the_same_buckets(tmp_path: Path):
    windows, now = _windows(tmp_path / "windows.db")
    database = windows._archive._database
    from_wide = _asked(windows, _BUCKETS, now)
    half = _asked_without_half(windows, now)
    database.execute("DELETE FROM coarse")
    exact = _asked(windows, _BUCKETS, now)
    assert from_wide == half == exact
    assert len(exact) > len(BOUNDS)
    # Were they not read from there, this would change nothing.
    database.execute(
        "INSERT INTO coarse SELECT series, step, start, "
        "(SELECT content FROM stretch WHERE series = 1 ORDER BY start LIMIT 1) FROM stretch"
    )
    assert _asked(windows, _BUCKETS, now) != exact


def _asked_without_half(windows: Windows, now: int) -> Rows:
    """As when they were begun to be kept half an hour ago."""
    windows._archive._database.execute("DELETE FROM coarse WHERE start < ?", (_BEGIN + HOUR // 2,))
    return _asked(windows, _BUCKETS, now)


def test_few_distributions_are_exact(tmp_path: Path):
    windows, now = _windows(tmp_path / "windows.db")
    query = 'histogram_quantile(0.9, latency_milliseconds_bucket{service="s1"})'
    exact = _asked(windows, query, now)
    windows._archive._database.execute("DELETE FROM coarse")
    assert _asked(windows, query, now) == exact


def test_they_are_forgotten_with_what_they_are_of(tmp_path: Path):
    windows = Windows(tmp_path / "windows.db")
    labels = labels_of({NAME: "latency_milliseconds"})
    for moment in (_BEGIN + STEP, _BEGIN + 2 * HOUR, _BEGIN + 4 * HOUR):
        windows.observe(labels, Sketch.of_values([1.0]), 1, 1.0)
        windows.tick(moment)
        windows.flush()
    database = windows._archive._database
    kept = [database.execute(f"SELECT series, step, start FROM {one}").fetchall() for one in ("stretch", "coarse")]
    assert kept[0] == kept[1]
    assert {step for _, step, _ in kept[0]} == {STEP, MINUTE}
    windows._archive.forget([1])
    assert database.execute("SELECT count(*) FROM coarse").fetchone() == (0,)


@settings(max_examples=30)
@given(values=st.lists(st.floats(0, 1e6), min_size=1, max_size=50), bound=st.sampled_from(BOUNDS))
def test_how_many_are_below_a_bound_of_istio_is_the_same_in_wide_cells(values: list[float], bound: float):
    sketch = Sketch.of_values(values)
    coarse = coarse_of(Stretch(base={}, steps=((1, dict(sketch.counts)),)))
    assert coarse is not None

    def below(counts: dict[int, float]) -> float:
        return sum(count for cell, count in counts.items() if cell == ZERO or upper_of(cell) <= bound)

    assert below(coarse.steps[0][1]) == below(sketch.counts)
    assert sum(coarse.steps[0][1].values()) == pytest.approx(len(values))
