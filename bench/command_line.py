"""How long the command line takes to say anything."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.figure import Figure, Target, number, times
from bench.harness import Effort, interleaved, ratio
from weft.demo.processes import Failed

NAME = "command-line"
TITLE = "The command line"

_WEFT = str(Path(sys.executable).with_name("weft"))
_CASES = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "weft --help": [_WEFT, "--help"],
    "weft version": [_WEFT, "version"],
}
_LIMIT_MS = 200.0


def measure(effort: Effort) -> Figure:
    """Wall time from start to end of a process, files cached."""
    cases = {name: _timed(command) for name, command in _CASES.items()}
    for run in cases.values():
        run()
    taken = interleaved(effort.repeats, cases)
    bare = taken["python -c pass"]
    rows = [
        (f"`{name}`", number(statistics.median(values), "ms"), times(ratio(values, bare)))
        for name, values in taken.items()
    ]
    measured = statistics.median(taken["weft --help"])
    target = Target(what="`weft --help`", measured=measured, limit=_LIMIT_MS, unit="ms")
    columns = ("command", "wall time", "of bare Python")
    return Figure(name=NAME, title=TITLE, columns=columns, rows=tuple(rows), targets=(target,), samples=taken)


def _timed(command: list[str]) -> Callable[[], float]:
    def run() -> float:
        begun = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode:
            raise Failed(f"{command[-1]} ended with {done.returncode}: {done.stderr.strip()}")
        return (time.monotonic() - begun) * 1000

    return run
