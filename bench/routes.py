"""What 10,000 routes on one gateway cost: from documents to resources, cold and after a change of one route."""

import statistics
import subprocess
import sys

import msgspec

from bench.figure import Figure, Target, number
from bench.harness import Effort
from bench.routing import HTTP_ROUTE, VIRTUAL_SERVICE
from weft.demo.processes import Failed
from weft.kit.value import Value

NAME = "routes"
TITLE = "10,000 routes on one gateway"
_SHAPES = (
    (VIRTUAL_SERVICE, 10_000, 1),
    (VIRTUAL_SERVICE, 1_000, 10),
    (VIRTUAL_SERVICE, 100, 100),
    (HTTP_ROUTE, 1_000, 10),
)
_JUDGED = (VIRTUAL_SERVICE, 1_000, 10)
_STEPS = ("translate", "link", "view", "compile")
_LIMIT_SECONDS = 120
_COLD_LIMIT, _CHANGE_LIMIT = 2.0, 50.0


class Size(Value):
    """How many documents of a kind, of how many rules, and the bytes of the gateway's resources."""

    kind: str
    tables: int
    rules: int
    bytes: int


class Run(Value):
    """One process: milliseconds of CPU of each step."""

    cold: dict[str, float]
    changed: tuple[dict[str, float], ...]
    size: Size


def measure(effort: Effort) -> Figure:
    """Medians of cold processes, whose shapes take turns; in each, one route is then changed some times."""
    runs = [_once(shape, effort.repeats) for _ in range(effort.cold_starts) for shape in _SHAPES]
    rows: list[tuple[str, ...]] = []
    targets: list[Target] = []
    for kind, tables, rules in _SHAPES:
        mine = [run for run in runs if (run.size.kind, run.size.tables, run.size.rules) == (kind, tables, rules)]
        cold = [statistics.median(run.cold[step] for run in mine) for step in _STEPS]
        warm = [statistics.median(one[step] for run in mine for one in run.changed) for step in _STEPS]
        shape = f"{tables:,} hosts of {rules} route{'s' if rules > 1 else ''} ({kind})"
        rows.append((f"{shape}, cold", *_cells(cold)))
        rows.append((f"{shape}, one route changed", *_cells(warm)))
        if (kind, tables, rules) == _JUDGED:
            targets.append(Target(what=f"{shape}, cold", measured=sum(cold) / 1000, limit=_COLD_LIMIT, unit="s"))
        what = f"{shape}, one route changed"
        targets.append(Target(what=what, measured=sum(warm), limit=_CHANGE_LIMIT, unit="ms"))
    columns = ("", *_STEPS, "together")
    note = "CPU time of the process; documents are of one host each, on a gateway for every host."
    return Figure(
        name=NAME, title=TITLE, columns=columns, rows=tuple(rows), targets=tuple(targets), notes=(note,), samples=runs
    )


def _cells(values: list[float]) -> tuple[str, ...]:
    return (*(number(value, "ms") for value in values), number(sum(values), "ms"))


def _once(shape: tuple[str, int, int], repeats: int) -> Run:
    command = [sys.executable, "-m", "bench.routing", *map(str, shape), str(repeats)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_SECONDS, check=False)
    if done.returncode:
        raise Failed(f"the process ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return msgspec.json.decode(done.stdout, type=Run)
