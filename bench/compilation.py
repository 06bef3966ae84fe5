"""How long the pure functions take for a large mesh, from documents to one proxy's resources."""

import statistics
import subprocess
import sys

import msgspec

from bench.figure import Figure, number
from bench.harness import Effort
from weft.demo.processes import Failed
from weft.kit.value import Value

NAME = "compilation"
TITLE = "Documents to resources"
_STEPS = ("translate", "link", "view", "compile")
_LIMIT_SECONDS = 120


class Size(Value):
    """How much was compiled, and how many resources one changed endpoint changes."""

    services: int
    endpoints: int
    documents: int
    resources: int
    bytes: int
    changed: int


class Run(Value):
    """One process: milliseconds of each step."""

    cold: dict[str, float]
    changed: tuple[dict[str, float], ...]
    size: Size


def measure(effort: Effort) -> Figure:
    """Medians of cold processes; in each, one endpoint is then changed some times."""
    runs = [_once(effort.repeats) for _ in range(effort.cold_starts)]
    size = runs[0].size
    cold = [statistics.median(run.cold[step] for run in runs) for step in _STEPS]
    warm = [statistics.median(one[step] for run in runs for one in run.changed) for step in _STEPS]
    rows = tuple(
        (what, *(number(value, "ms") for value in values), number(sum(values), "ms"))
        for what, values in (("cold", cold), ("one endpoint changed", warm))
    )
    note = (
        f"{size.services:,} services of {size.endpoints} endpoints ({size.documents:,} documents), one proxy "
        f"that sees all of them: {size.resources:,} resources, {size.bytes / 1e6:.1f} MB; after the change "
        f"{size.changed} resource has another version."
    )
    columns = ("", *_STEPS, "together")
    return Figure(name=NAME, title=TITLE, columns=columns, rows=rows, notes=(note,), samples=runs)


def _once(repeats: int) -> Run:
    command = [sys.executable, "-m", "bench.compiling", str(repeats)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_SECONDS, check=False)
    if done.returncode:
        raise Failed(f"the compiling process ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return msgspec.json.decode(done.stdout, type=Run)
