"""What 10,000 routes on one gateway cost: from documents to resources, cold and after a change of one route."""

import statistics
import subprocess
import sys

import msgspec

from bench.figure import Figure, Target, number
from bench.harness import Effort
from weft.demo.processes import Failed
from weft.kit.value import Value

NAME = "routes"
TITLE = "10,000 routes on one gateway"
_SHAPES = ((10_000, 1), (1_000, 10), (100, 100))
_JUDGED = (1_000, 10)
_STEPS = ("translate", "link", "view", "compile")
_LIMIT_SECONDS = 120
_COLD_LIMIT, _CHANGE_LIMIT = 2.0, 50.0


class Size(Value):
    """How many VirtualServices of how many rules, and the bytes of the gateway's resources."""

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
    runs = [_once(tables, rules, effort.repeats) for _ in range(effort.cold_starts) for tables, rules in _SHAPES]
    rows: list[tuple[str, ...]] = []
    targets: list[Target] = []
    for tables, rules in _SHAPES:
        mine = [run for run in runs if (run.size.tables, run.size.rules) == (tables, rules)]
        cold = [statistics.median(run.cold[step] for run in mine) for step in _STEPS]
        warm = [statistics.median(one[step] for run in mine for one in run.changed) for step in _STEPS]
        shape = f"{tables:,} hosts of {rules} routes"
        rows.append((f"{shape}, cold", *_cells(cold)))
        rows.append((f"{shape}, one route changed", *_cells(warm)))
        if (tables, rules) == _JUDGED:
            targets.append(Target(what=f"{shape}, cold", measured=sum(cold) / 1000, limit=_COLD_LIMIT, unit="s"))
            targets.append(Target(what="one route changed", measured=sum(warm), limit=_CHANGE_LIMIT, unit="ms"))
    columns = ("", *_STEPS, "together")
    note = "CPU time of the process; documents are VirtualServices of one host each, on a gateway for every host."
    return Figure(
        name=NAME, title=TITLE, columns=columns, rows=tuple(rows), targets=tuple(targets), notes=(note,), samples=runs
    )


def _cells(values: list[float]) -> tuple[str, ...]:
    return (*(number(value, "ms") for value in values), number(sum(values), "ms"))


def _once(tables: int, rules: int, repeats: int) -> Run:
    command = [sys.executable, "-m", "bench.routing", str(tables), str(rules), str(repeats)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_SECONDS, check=False)
    if done.returncode:
        raise Failed(f"the process ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return msgspec.json.decode(done.stdout, type=Run)
