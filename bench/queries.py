"""How long a dashboard waits for the control plane's own answers, and how long everybody else does meanwhile.

The queries are those of Istio's dashboards, over an hour in steps of 15 s, of 100 histograms that were counted into
every 5 s; they are asked as over HTTP, on the event loop that a control plane has, and evaluated by a process beside it
as there.
"""

import asyncio
import itertools
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from bench.figure import Figure, Target, number
from bench.harness import Effort, percentile
from weft.app.control_plane import SWITCH
from weft.kit.clock import SystemClock
from weft.model.cells import cell_of, middle_of
from weft.model.reporting import SOURCE, Peer
from weft.model.series import End, Series
from weft.observe.aside.pool import Aside
from weft.observe.histograms import Distribution
from weft.observe.own_history import OwnHistory, Together
from weft.observe.prometheus import PrometheusApi
from weft.observe.recorded import Recorder
from weft.observe.windows.packing import HOUR, MINUTE, STEP
from weft.observe.windows.store import Windows

NAME = "queries"
TITLE = "Questions to the control plane's own metrics"
LIMIT, LAG = 1.0, 50.0
_SIDES, _CALLS = 10, 20
_BUCKET = "istio_request_duration_milliseconds_bucket"
_QUERIES = {
    "p99 of the mesh": f"histogram_quantile(0.99, sum(rate({_BUCKET}[5m])) by (le))",
    "p99 by service": f"histogram_quantile(0.99, sum(rate({_BUCKET}[5m])) by (le, destination_service))",
    "p99 by edge": "histogram_quantile(0.99, sum(irate("
    f'{_BUCKET}{{reporter="source"}}[1m])) by (le, source_workload, destination_workload))',
    "calls by service": "sum(rate(istio_requests_total[5m])) by (destination_service)",
}


def measure(effort: Effort) -> Figure:
    """Seconds of each query, in turns, and how late the event loop is while they are answered."""
    with TemporaryDirectory(prefix="weft-bench-") as directory:
        windows = Windows(Path(directory) / "windows.db")
        end = _hour(windows)
        with _as_control_planes_do():
            taken, lags = asyncio.run(_asked(directory, windows, end, max(2, effort.rounds // 2)))
        windows.close()
    late = percentile(lags, 99) * 1000
    rows = (
        *(_row(name, times) for name, times in taken.items()),
        ("the event loop's lag meanwhile, p99 and longest", number(late, "ms"), number(max(lags) * 1000, "ms"), ""),
    )
    slowest = max(statistics.median(wall for wall, _ in times) for times in taken.values())
    targets = (
        Target(what="an hour of 100 histograms, the slowest query", measured=slowest, limit=LIMIT, unit="s"),
        Target(what="the event loop's lag while queries are answered, p99", measured=late, limit=LAG, unit="ms"),
    )
    notes = (
        "The windows' file holds the hour: reading and unpacking it is in the figures.",
        "A process beside the control plane evaluates; its start is in the slowest of the first query.",
    )
    return Figure(
        name=NAME, title=TITLE, columns=("query", "median", "slowest", "CPU"), rows=rows, targets=targets, notes=notes,
        samples=taken,
    )  # fmt: skip


def _row(name: str, times: list[tuple[float, float]]) -> tuple[str, ...]:
    walls, used = zip(*times, strict=True)
    return (name, *(number(each, "s") for each in (statistics.median(walls), max(walls), statistics.median(used))))


def _hour(windows: Windows) -> int:
    """Calls over an hour and some minutes, by 10 workloads of 10 services each; when they end."""
    chance, recorder = random.Random(5), Recorder(windows)
    edges = [
        (recorder.place(one, "requests"), recorder.place(one, "duration"), _steps_of(chance.uniform(2, 200), chance))
        for one in _edges()
    ]
    begin = round(time.time() * 1000 - HOUR) // HOUR * HOUR - 10 * MINUTE
    end = begin + HOUR + 10 * MINUTE
    windows.tick(begin)
    for moment in range(begin + STEP, end + STEP, STEP):
        for calls, times, steps in edges:
            if calls is not None and times is not None:
                recorder.count(calls, _CALLS)
                recorder.observe(times, next(steps))
        windows.tick(moment)
        if not moment % (10 * MINUTE):
            windows.flush()
    windows.flush()
    return end


def _edges() -> Iterator[Series]:
    for caller, called in itertools.product(range(_SIDES), range(_SIDES)):
        yield Series(
            reporter=SOURCE,
            source=_end(f"caller{caller}"),
            destination=_end(f"service{called}"),
            service=f"service{called}.shop.svc.cluster.local",
            code="200",
        )


def _end(name: str) -> End:
    peer = Peer(workload=f"{name}-v1", namespace="shop", service=name, revision="v1", cluster="Kubernetes")
    return End(peer=peer, principal=f"spiffe://cluster.local/ns/shop/sa/{name}")


def _steps_of(typical: float, chance: random.Random) -> Iterator[Distribution]:
    """What is observed in one step after the other, again and again."""
    return itertools.cycle([_step(typical, chance) for _ in range(12)])


def _step(typical: float, chance: random.Random) -> Distribution:
    cells = Counter(cell_of(chance.lognormvariate(0, 0.6) * typical) for _ in range(_CALLS))
    return _CALLS, sum(middle_of(cell) * count for cell, count in cells.items()), tuple(cells.items())


@contextmanager
def _as_control_planes_do() -> Iterator[None]:
    """Threads give way to each other as soon as they do there."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


async def _asked(
    directory: str, windows: Windows, end: int, rounds: int
) -> tuple[dict[str, list[tuple[float, float]]], list[float]]:
    clock, lags = SystemClock(), list[float]()
    own = OwnHistory(clock)
    aside = Aside(Path(directory) / "windows.db", windows, own)
    api = PrometheusApi(Together(windows, own), clock, "bench", aside)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in _QUERIES}
    async with asyncio.TaskGroup() as group:
        watch = group.create_task(_watch(lags))
        for _ in range(rounds):
            for name, query in _QUERIES.items():
                begun, used = time.monotonic(), _used(aside)
                form = {"query": [query], "start": [f"{(end - HOUR) / 1000}"], "end": [f"{end / 1000}"], "step": ["15"]}
                reply = await api.answer("query_range", form)
                taken[name].append((time.monotonic() - begun, _used(aside) - used))
                assert reply.status == 200, reply.content
        watch.cancel()
    await api.close()
    return taken, lags


def _used(aside: Aside) -> float:
    """Seconds of CPU, of this process and of those beside it."""
    times = [psutil.Process(process).cpu_times() for process in aside.processes]
    return time.process_time() + sum(one.user + one.system for one in times)


async def _watch(lags: list[float]) -> None:
    while True:
        begun = time.monotonic()
        await asyncio.sleep(0.005)
        lags.append(max(0.0, time.monotonic() - begun - 0.005))
