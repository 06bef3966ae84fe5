"""How every figure is measured: interleaved rounds, medians, and the CPU and memory that the kernel itself counted.

A shared machine drifts by more than most differences that matter. So the cases of a figure take turns, round by round,
and a ratio is the median of the rounds' ratios, not the ratio of two medians.
"""

import math
import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from weft.kit.value import Value

_T = TypeVar("_T")
_NANOSECONDS = 1e9
_PROC = Path("/proc")


class Effort(Value):
    """How much is measured. ``seconds`` is the length of one run under load, ``limit`` that of the whole bench."""

    rounds: int
    seconds: float
    changes: int
    cold_starts: int
    repeats: int
    settle: float
    limit: float


FULL = Effort(rounds=7, seconds=2.0, changes=100, cold_starts=3, repeats=10, settle=5.0, limit=1500.0)
QUICK = Effort(rounds=2, seconds=1.0, changes=20, cold_starts=1, repeats=5, settle=2.0, limit=290.0)


class Memory(Value):
    """Of one process, in MB (10^6 bytes): resident, its fair share of what is shared, and what is its own."""

    rss: float
    pss: float
    anonymous: float


def interleaved(rounds: int, cases: Mapping[str, Callable[[], _T]]) -> dict[str, list[_T]]:
    """Run every case once per round, each round beginning with another one; the results of each case by round."""
    names = list(cases)
    results: dict[str, list[_T]] = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % max(1, len(names))
        for name in names[first:] + names[:first]:
            results[name].append(cases[name]())
    return results


def ratio(values: Sequence[float], bases: Sequence[float]) -> float:
    """The median of the rounds' ratios; ``nan`` when there is nothing to compare with."""
    pairs = [value / base for value, base in zip(values, bases, strict=True) if base]
    return statistics.median(pairs) if pairs else math.nan


def difference(values: Sequence[float], bases: Sequence[float]) -> float:
    """The median of the rounds' differences."""
    return statistics.median(value - base for value, base in zip(values, bases, strict=True))


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least ``percent`` of all values do not exceed (nearest rank)."""
    if not values:
        raise ValueError("no values")
    rank = math.ceil(percent / 100 * len(values))
    return sorted(values)[max(0, rank - 1)]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far.

    The sum of its threads' ``schedstat``, which is utime + stime in nanoseconds rather than in ticks of 10 ms; threads
    that have ended are not in it (an Envoy's do not end).
    """
    return sum(_on_cpu(thread) for thread in (_PROC / str(pid) / "task").iterdir()) / _NANOSECONDS


def _on_cpu(thread: Path) -> int:
    return int((thread / "schedstat").read_text().split()[0])


class Usage(Value):
    """CPU time used so far, in seconds: by the whole machine, and by this process with all that it has waited for."""

    machine: float
    own: float


def usage() -> Usage:
    """Now. Children count once they have ended."""
    own = os.times()
    ours = own.user + own.system + own.children_user + own.children_system
    return Usage(machine=parse_busy((_PROC / "stat").read_text()) / os.sysconf("SC_CLK_TCK"), own=ours)


def others_share(before: Usage, after: Usage, seconds: float, cores: int) -> float:
    """The part of the machine (0-1) that went to anything else between two moments; what disturbs a measurement."""
    others = (after.machine - before.machine) - (after.own - before.own)
    return min(1.0, max(0.0, others / (seconds * cores)))


def parse_busy(text: str) -> int:
    """The ticks of ``/proc/stat`` that were neither idle nor waiting for a disk, over all cores."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, text.split("\n", 1)[0].split()[1:9])
    return user + nice + system + irq + softirq + steal


def memory_of(pid: int) -> Memory:
    """What a process holds now (``smaps_rollup``)."""
    fields = parse_rollup((_PROC / str(pid) / "smaps_rollup").read_text())
    return Memory(rss=fields["Rss"], pss=fields["Pss"], anonymous=fields["Anonymous"])


def parse_rollup(text: str) -> dict[str, float]:
    """The fields of ``smaps_rollup`` in MB; its first line is an address range."""
    pairs = (line.split(":", 1) for line in text.splitlines()[1:])
    return {name: int(rest.split()[0]) * 1024 / 1e6 for name, rest in pairs}
