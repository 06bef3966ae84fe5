"""A real Envoy's percentiles are within 1 % of what it saw, whatever the times are like."""

import math
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.observe.one_proxy import proxy_of, until
from tests.observe.paced import ask_all
from weft.kit.clock import SystemClock
from weft.model.cells import cell_of
from weft.observe.promql.columns import Steps
from weft.observe.promql.evaluate import evaluate
from weft.observe.windows.packing import STEP

pytestmark = [pytest.mark.live, pytest.mark.asyncio]
WANTED = (50.0, 90.0, 95.0, 99.0)


def _log_normal(chance: random.Random) -> float:
    return min(chance.lognormvariate(math.log(0.012), 0.8), 0.4)


def _bimodal(chance: random.Random) -> float:
    return chance.gauss(0.004, 0.0004) if chance.random() < 0.93 else chance.gauss(0.15, 0.004)


def _constant(_: random.Random) -> float:
    return 0.1002


def _uneven(chance: random.Random) -> float:
    """Where Envoy's two digits are worst: just above a power of ten, at the ends of its bins."""
    return chance.choice((0.0101, 0.0108, 0.0109, 0.0111, 0.0119, 0.1003, 0.1093, 0.1101))


@pytest.mark.parametrize("like", [_log_normal, _bimodal, _constant, _uneven])
async def test_percentiles_are_within_one_percent(tmp_path: Path, like: Callable[[random.Random], float]):
    chance = random.Random(5)
    waits = [max(0.001, like(chance)) for _ in range(1500)]
    async with proxy_of(tmp_path) as proxy:
        await ask_all(proxy.port, waits, connections=48)
        await until(lambda: (edge := proxy.edge()) is not None and edge.latency.count >= len(waits))
        await until(lambda: proxy.log.read_text().count("\n") == len(waits))
        edge = proxy.edge()
        assert edge is not None
        assert (edge.requests, edge.latency.count) == (len(waits), len(waits))
        exact = proxy.exact()
        assert dict(edge.latency.buckets) == Counter(map(cell_of, exact))
        truth = [exact[math.ceil(percent / 100 * len(exact)) - 1] for percent in WANTED]
        assert edge.latency.percentiles(WANTED) == pytest.approx(truth, rel=0.0051)
        proxy.windows.tick(round(SystemClock().now() * 1000) + STEP)
        at = round(SystemClock().now() * 1000) + 2 * STEP
        for percent, expected in zip(WANTED, truth, strict=True):
            query = f"histogram_quantile({percent / 100}, sum by (le) (istio_request_duration_milliseconds_bucket))"
            found = evaluate(query, Steps(start=at, end=at, step=1), proxy.windows).result
            assert isinstance(found, dict)
            assert [column[0] for column in found.values()] == [pytest.approx(expected, rel=0.0105)]
