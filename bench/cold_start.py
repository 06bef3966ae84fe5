"""How long it takes from ``weft up`` on an empty state to the first request that crossed two sidecars."""

import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import mesh as meshes
from bench.figure import Figure, number
from bench.harness import Effort
from bench.load import once
from weft.demo.processes import Failed, free_port
from weft.kit.value import Value

NAME = "cold-start"
TITLE = "From `weft up` to the first meshed request"
_LIMIT_SECONDS = 60.0
_STEPS = ("control plane ready", "two join tokens made with the CLI", "first request answered")


class Start(Value):
    """Seconds since ``weft up`` was called, at the end of each step."""

    ready: float
    tokens: float
    first_request: float


def measure(effort: Effort) -> Figure:
    """The median of some starts, each on its own empty state."""
    starts = [_start() for _ in range(effort.cold_starts)]
    ends = [(start.ready, start.tokens, start.first_request) for start in starts]
    medians = [statistics.median(column) for column in zip(*ends, strict=True)]
    rows = tuple((step, number(end, "s")) for step, end in zip(_STEPS, medians, strict=True))
    columns = ("step", "seconds since `weft up`")
    return Figure(name=NAME, title=TITLE, columns=columns, rows=rows, samples=starts)


def _start() -> Start:
    begun = time.monotonic()
    with meshes.control_plane() as mesh:
        ready = time.monotonic() - begun
        with ThreadPoolExecutor(2) as pool:
            tokens = list(pool.map(mesh.token, ("server", "caller")))
        made = time.monotonic() - begun
        for workload, token in zip((_application(), meshes.caller(mesh)), tokens, strict=True):
            mesh.start(workload, token)
        _wait_for_answer(mesh, begun + _LIMIT_SECONDS)
        return Start(ready=ready, tokens=made, first_request=time.monotonic() - begun)


def _application() -> meshes.Workload:
    """A small application in Python, as a user would have one."""
    port = free_port()
    command = (sys.executable, "-S", str(Path(__file__).with_name("application.py")))
    return meshes.Workload(name="server", service="server", command=command, app_port=port)


def _wait_for_answer(mesh: meshes.BenchMesh, deadline: float) -> None:
    written = mesh.caller_file("caller")
    while not (written.exists() and once(mesh.ways("caller")["HTTP_PROXY"])):
        for process in mesh.workloads.values():
            if process.ended() is not None:
                raise Failed(f"{process.name} ended with code {process.ended()}:\n{process.last_lines()}")
        if time.monotonic() > deadline:
            raise Failed(f"no request was answered within {_LIMIT_SECONDS:g} s")
        time.sleep(0.005)
