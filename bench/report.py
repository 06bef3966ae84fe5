"""The results as a table for people (``RESULTS.md``) and as data (``results.json``)."""

import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.figure import Figure, Target, number
from weft.kit.envoy_binary import pinned_version
from weft.kit.value import Value

_QUIET = 0.05


class Machine(Value):
    """Where and when."""

    cores: int
    processor: str
    kernel: str
    python: str
    envoy: str
    tools: tuple[str, ...]
    date: str


def machine(tools: tuple[str, ...]) -> Machine:
    """This machine, today; ``tools`` are the outside programs that took part."""
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        processor=_processor(),
        kernel=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        envoy=pinned_version(),
        tools=tools,
        date=time.strftime("%Y-%m-%d", time.gmtime()),
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def markdown(figures: Sequence[Figure], where: Machine, *, quick: bool) -> str:
    """The whole report."""
    targets = [target for figure in figures for target in figure.targets]
    parts = [line for figure in figures for line in _part(figure)]
    return "\n".join([*_head(where, quick), *_disturbed(figures), *_targets(targets), *parts])


def _head(where: Machine, quick: bool) -> list[str]:
    tools = ", ".join(where.tools) or "none"
    effort = " A quick run: fewer and shorter rounds, read it as a smoke test." if quick else ""
    return [
        "# What weft costs",
        "",
        f"{where.date}, {where.cores} cores ({where.processor}), {where.kernel}, Python {where.python}, "
        f"Envoy {where.envoy}; other tools: {tools}.",
        f"Written by `make bench`; how it is measured and how to read it: `docs/benchmarks.md`.{effort}",
        "",
    ]


def _disturbed(figures: Sequence[Figure]) -> list[str]:
    """A warning when the machine had other work."""
    shares = [f"{figure.name} {figure.others:.0%}" for figure in figures if figure.others > _QUIET]
    if not shares:
        return []
    return [f"**Others used the machine meanwhile ({', '.join(shares)}): repeat it on a quiet one.**", ""]


def _targets(targets: Sequence[Target]) -> list[str]:
    if not targets:
        return []
    rows = (
        (t.what, number(t.measured, t.unit), f"≤ {number(t.limit, t.unit)}", "met" if t.met else "**missed**")
        for t in targets
    )
    return ["## Targets", "", *_table(("target", "measured", "limit", ""), rows), ""]


def _part(figure: Figure) -> list[str]:
    lines = [f"## {figure.title}", ""]
    if figure.failure:
        return [*lines, f"Not measured: {figure.failure}", ""]
    notes = [line for note in figure.notes for line in (note, "")]
    return [*lines, *_table(figure.columns, figure.rows), "", *notes]


def _table(columns: Sequence[str], rows: object) -> list[str]:
    body = [f"| {' | '.join(row)} |" for row in rows]  # type: ignore[attr-defined]
    return [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}", *body]


def data(figures: Sequence[Figure], where: Machine, *, quick: bool) -> bytes:
    """The same, with the samples, as indented JSON."""
    content = {"machine": where, "quick": quick, "figures": list(figures)}
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"
