"""What a request costs: CPU of each proxy and added latency, for weft's path and for what it is compared with."""

import statistics
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import mesh as meshes
from bench.figure import Figure, number, times
from bench.harness import Effort, cpu_seconds, difference, interleaved, ratio
from bench.load import CONNECTIONS, RATE, Place, at_rate, get, saturate
from bench.servers import Way, application, bare_hop, bare_pair, haproxy_hop, haproxy_program
from weft.demo.processes import Failed
from weft.kit.value import Value

NAME = "request-path"
TITLE = "The request path"

DIRECT = "direct"
HOP = "one Envoy, bare"
PAIR = "two Envoys, bare, HTTP/2 over mTLS"
HAPROXY = "one HAProxy"
WEFT = "weft, {}"
_BASES = {HOP: HOP, HAPROXY: HOP, PAIR: PAIR}
_COLUMNS = (
    "path", "requests/s", "CPU/request of each proxy", "of bare",
    f"CPU/request at {RATE:,}/s", "of bare", f"p50 at {RATE:,}/s", "p99", "added p50", "added p99",
)  # fmt: skip


class Sample(Value):
    """One round of one path: microseconds of CPU per request of each proxy, milliseconds of latency."""

    per_second: float
    cpu_full: tuple[float, ...]
    cpu_rated: tuple[float, ...]
    p50: float
    p99: float


def measure(effort: Effort) -> Figure:
    """Every path to the same kind of application, in turns."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="weft-bench-")))
        ways = _compared(stack, directory)
        try:
            ways |= _meshed(stack)
        except Failed as failure:
            raise Failed(f"the mesh did not start: {failure}") from failure
        samples = interleaved(effort.rounds, {name: _case(way, effort.seconds) for name, way in ways.items()})
    rows = [_row(name, samples, [label for label, _ in ways[name].proxies]) for name in samples]
    if not haproxy_program():
        rows.append((HAPROXY, "not installed", *[""] * (len(_COLUMNS) - 2)))
    return Figure(name=NAME, title=TITLE, columns=_COLUMNS, rows=tuple(rows), notes=_notes(effort), samples=samples)


def _compared(stack: ExitStack, directory: Path) -> dict[str, Way]:
    port = stack.enter_context(application(directory))
    ways = {DIRECT: Way(place=Place(port=port, request=get("/", "server")))}
    ways[HOP] = stack.enter_context(bare_hop(port, directory))
    if haproxy_program():
        ways[HAPROXY] = stack.enter_context(haproxy_hop(port, directory))
    ways[PAIR] = stack.enter_context(bare_pair(port, directory))
    return ways


def _meshed(stack: ExitStack) -> dict[str, Way]:
    mesh = stack.enter_context(meshes.control_plane())
    meshes.start_all(mesh, [meshes.server(mesh), meshes.caller(mesh)])
    return {WEFT.format(name): meshes.way_of(mesh, place) for name, place in mesh.ways("caller").items()}


def _case(way: Way, seconds: float) -> Callable[[], Sample]:
    def run() -> Sample:
        before = _cpu(way)
        full = saturate(way.place, seconds)
        between = _cpu(way)
        rated = at_rate(way.place, seconds)
        after = _cpu(way)
        return Sample(
            per_second=full.requests / full.seconds,
            cpu_full=_each(before, between, full.requests),
            cpu_rated=_each(between, after, rated.requests),
            p50=rated.p50,
            p99=rated.p99,
        )

    return run


def _cpu(way: Way) -> list[float]:
    return [cpu_seconds(pid) for _, pid in way.proxies]


def _each(before: list[float], after: list[float], requests: int) -> tuple[float, ...]:
    return tuple((end - begin) / requests * 1e6 for begin, end in zip(before, after, strict=True))


def _row(name: str, samples: Mapping[str, list[Sample]], labels: list[str]) -> tuple[str, ...]:
    mine, direct = samples[name], samples[DIRECT]
    base = samples[_BASES.get(name, PAIR)]
    bare = name == DIRECT
    return (
        name,
        number(_median(mine, lambda sample: sample.per_second)),
        _cpu_cell(labels, [sample.cpu_full for sample in mine]),
        "" if bare else times(_ratio(mine, base, lambda sample: sum(sample.cpu_full))),
        _cpu_cell(labels, [sample.cpu_rated for sample in mine]),
        "" if bare else times(_ratio(mine, base, lambda sample: sum(sample.cpu_rated))),
        number(_median(mine, lambda sample: sample.p50), "ms"),
        number(_median(mine, lambda sample: sample.p99), "ms"),
        "" if bare else number(_added(mine, direct, lambda sample: sample.p50), "ms"),
        "" if bare else number(_added(mine, direct, lambda sample: sample.p99), "ms"),
    )


def _cpu_cell(labels: list[str], rounds: list[tuple[float, ...]]) -> str:
    medians = [statistics.median(values) for values in zip(*rounds, strict=True)]
    if not medians:
        return ""
    return (
        " / ".join(number(value) for value in medians) + " us" + (f" ({' / '.join(labels)})" if len(labels) > 1 else "")
    )


def _median(samples: list[Sample], of: Callable[[Sample], float]) -> float:
    return statistics.median(of(sample) for sample in samples)


def _ratio(samples: list[Sample], base: list[Sample], of: Callable[[Sample], float]) -> float:
    return ratio([of(sample) for sample in samples], [of(sample) for sample in base])


def _added(samples: list[Sample], direct: list[Sample], of: Callable[[Sample], float]) -> float:
    return difference([of(sample) for sample in samples], [of(sample) for sample in direct])


def _notes(effort: Effort) -> tuple[str, ...]:
    return (
        f"Keep-alive HTTP/1.1, answers of 1 KB, {CONNECTIONS} connections; {effort.rounds} rounds of "
        f"{effort.seconds:g} s saturated and {effort.seconds:g} s at {RATE:,} requests/s, each path in turn. "
        "*Of bare* compares with one bare Envoy for one hop, with two for two; *added* is against direct.",
    )
