"""What the control plane takes of what sidecars tell on one core, and by how much that delays changes of the mesh.

Messages are those that Envoys send. Throughput is of the very functions that the streams are read by; delays are of a
whole control plane and proxies that tell it (``bench.telling``).
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figure import Figure, Target, number
from bench.flood import QUIET
from bench.harness import Effort
from bench.reports import PROXIES, told
from bench.telling import RATES, Telling, telling
from weft.kit.clock import SystemClock
from weft.model.identity import Identity
from weft.observe.access_logs import access_log_sink
from weft.observe.calls import LOG, Calls
from weft.observe.metrics import Metrics
from weft.observe.recorded import Recorder
from weft.observe.sinks import Receive, Turns
from weft.observe.traces.store import Traces
from weft.observe.traces.tracing import Tracing
from weft.observe.windows.store import Windows

NAME = "ingestion"
TITLE = "What the control plane takes"
LATE = 50.0
_NAMESPACE = "bench"
_WHAT = {
    "points": "points of metrics, a counter or a histogram each",
    "entries": "entries of access logs, recorded as calls",
    "spans": "spans, with their writing",
}
_ONE = {"points": "a point", "entries": "an entry", "spans": "a span"}


def measure(effort: Effort) -> Figure:
    """How much a second of one core takes, and how long changes of the mesh take beside it."""
    each = {
        "points": asyncio.run(_points(effort.seconds)),
        "entries": asyncio.run(_entries(effort.seconds)),
        "spans": asyncio.run(_spans(effort.seconds)),
    }
    beside = telling(effort)
    rows = (_row(QUIET, "nothing", beside, None), *(_row(kind, _WHAT[kind], beside, each[kind]) for kind in RATES))
    targets = (
        *(Target(what=f"CPU of {_ONE[kind]}", measured=1e6 / each[kind], limit=1e6 / RATES[kind], unit="us")
          for kind in RATES),
        *(Target(what=f"a change's last ACK beside {RATES[kind]:,} {kind} a second, later at p99",
                 measured=beside.delay(kind, 99), limit=LATE, unit="ms") for kind in RATES),
    )  # fmt: skip
    columns = ("what is told", "a second of one core", "each", "told a second", "cores", "ACK p50", "ACK p99")
    notes = (
        "The first figures are of reading and keeping alone; the others of a control plane that 20 proxies tell so "
        "much a second over gRPC and mutual TLS, while 50 scripted clients acknowledge changes of a VirtualService.",
    )
    return Figure(
        name=NAME, title=TITLE, columns=columns, rows=rows, targets=targets, notes=notes, samples=beside.turns
    )


def _row(kind: str, what: str, beside: Telling, each: float | None) -> tuple[str, ...]:
    rate, cores = beside.typical(kind)
    taken = ("", "") if each is None else (number(each), number(1e6 / each, "us"))
    delays = (number(beside.percentile(kind, percent), "ms") for percent in (50, 99))
    return (what, *taken, number(rate), number(cores), *delays)


async def _points(seconds: float) -> float:
    with TemporaryDirectory(prefix="weft-bench-") as directory:
        windows = Windows(Path(directory) / "windows.db")
        metrics = Metrics(Recorder(windows))
        found = await _read("points", lambda: metrics.sink().opened(_identity()), seconds)
        windows.close()
        return found


async def _entries(seconds: float) -> float:
    calls = Calls(SystemClock())
    return await _read("entries", lambda: access_log_sink({LOG: calls.read}).opened(_identity()), seconds)


async def _spans(seconds: float) -> float:
    with TemporaryDirectory(prefix="weft-bench-") as directory:
        traces = Traces(Path(directory) / "traces.db")
        tracing = Tracing(traces)

        def receive(content: bytes) -> Iterator[None]:
            if traces.waiting > 10_000:
                traces.flush()
            return tracing.take(_identity(), content)

        found = await _read("spans", lambda: receive, seconds)
        traces.close()
        return found


async def _read(kind: str, opened: Callable[[], Receive], seconds: float) -> float:
    """How many are read in a second of CPU, in turns with nothing else to do."""
    streams = [opened() for _ in range(PROXIES)]
    messages = itertools.cycle([(proxy, *one) for proxy in range(PROXIES) for one in told(kind, proxy, _NAMESPACE)])
    turns, count, spent, begun = Turns(), 0, 0.0, time.process_time()
    while spent < seconds:
        proxy, content, many = next(messages)
        await turns.read(streams[proxy], content)
        count += many
        spent = time.process_time() - begun
    return count / spent


def _identity() -> Identity:
    return Identity(trust_domain="cluster.local", namespace=_NAMESPACE, account="web")
