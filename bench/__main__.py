"""``python -m bench [--quick] [--only NAME]...``: measure and write ``bench/RESULTS.md`` and ``bench/results.json``."""

import argparse
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Protocol

import msgspec

from bench import (
    access,
    capture,
    churn,
    cold_start,
    command_line,
    compilation,
    gateway,
    guards,
    ingestion,
    leaves,
    memory,
    names,
    propagation,
    queries,
    request_path,
    routes,
    tap,
    telemetry,
)
from bench.figure import Figure, failed, number
from bench.harness import FULL, QUICK, Effort, others_share, usage
from bench.report import data, machine, markdown
from bench.servers import haproxy_program
from weft.demo.processes import Failed
from weft.kit.errors import WeftError


class Measurement(Protocol):
    """A module of the bench."""

    NAME: str
    TITLE: str

    def measure(self, effort: Effort) -> Figure:
        """The figure. Raises ``Failed`` when there is none."""
        ...


FIGURES: tuple[Measurement, ...] = (
    request_path,
    guards,
    access,
    telemetry,
    tap,
    ingestion,
    queries,
    capture,
    memory,
    names,
    cold_start,
    propagation,
    churn,
    command_line,
    compilation,
    routes,
    gateway,
)
SOAKS = (leaves,)
"""Only measured when they are asked for: they take long."""
_HERE = Path(__file__).parent


class OutOfTime(Failed):
    """The whole bench took longer than it may."""


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0 when everything that was asked for could be measured, whether or not targets are met."""
    options = _parse(arguments)
    effort = QUICK if options.quick else FULL
    chosen = [one for one in (*FIGURES, *SOAKS) if one.NAME in options.only] if options.only else list(FIGURES)
    figures = _measured(chosen, effort)
    where = machine(_tools())
    text = markdown(figures, where, quick=options.quick)
    if options.only:
        print(text)
    else:
        options.directory.mkdir(parents=True, exist_ok=True)
        (options.directory / "RESULTS.md").write_text(text)
        (options.directory / "results.json").write_bytes(data(figures, where, quick=options.quick))
    return 1 if any(figure.failure for figure in figures) else 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure what weft costs.")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: under five minutes")
    parser.add_argument(
        "--only", action="append", choices=[module.NAME for module in (*FIGURES, *SOAKS)], metavar="NAME",
        help=f"one figure, printed and not written: {', '.join(module.NAME for module in (*FIGURES, *SOAKS))}",
    )  # fmt: skip
    parser.add_argument("--directory", type=Path, default=_HERE, help="where the results are written")
    return parser.parse_args(arguments)


def _measured(modules: Sequence[Measurement], effort: Effort) -> list[Figure]:
    soaking = sum(module.seconds_of(effort) for module in SOAKS if module in modules)
    deadline = time.monotonic() + effort.limit + soaking
    signal.signal(signal.SIGALRM, _out_of_time)
    signal.signal(signal.SIGTERM, _asked_to_end)
    return [_one(module, effort, deadline) for module in modules]


def _one(module: Measurement, effort: Effort, deadline: float) -> Figure:
    """One figure; what goes wrong in it is its own."""
    begun, before = time.monotonic(), usage()
    try:
        figure = _within(deadline, lambda: module.measure(effort))
    except (Failed, WeftError, OSError) as failure:
        figure = failed(module.NAME, module.TITLE, str(failure))
    seconds = time.monotonic() - begun
    others = others_share(before, usage(), seconds, len(os.sched_getaffinity(0)))
    outcome = f"failed: {figure.failure}" if figure.failure else "measured"
    print(f"{module.NAME}: {outcome} in {number(seconds, 's')}", file=sys.stderr, flush=True)
    return msgspec.structs.replace(figure, others=others)


def _within(deadline: float, work: Callable[[], Figure]) -> Figure:
    left = deadline - time.monotonic()
    if left <= 0:
        raise OutOfTime("the time for the whole bench was used up before")
    signal.setitimer(signal.ITIMER_REAL, left)
    try:
        return work()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _out_of_time(number: int, frame: FrameType | None) -> None:
    raise OutOfTime("the time for the whole bench was used up")


def _asked_to_end(number: int, frame: FrameType | None) -> None:
    """Leave through every block, so that what was started is ended."""
    sys.exit(128 + number)


def _tools() -> tuple[str, ...]:
    wrk = "wrk" if shutil.which("wrk") else "no wrk (load from Python)"
    return (wrk, "HAProxy" if haproxy_program() else "no HAProxy")


if __name__ == "__main__":
    sys.exit(main())
