"""What a mesh holds in memory, and what CPU it takes, while nothing happens."""

import time

from bench import mesh as meshes
from bench.figure import Figure, Target, number
from bench.harness import Effort, Memory, cpu_seconds, memory_of
from weft.demo.processes import Failed
from weft.kit.value import Value

NAME = "memory"
TITLE = "Memory and CPU at rest"
_AGENT_LIMIT = 40.0
_CONTROL_PLANE_LIMIT = 120.0
_COLUMNS = ("process", "RSS", "PSS", "anonymous", "CPU while idle")


class Rest(Value):
    """One process at rest; ``cpu`` in milliseconds per second."""

    memory: Memory
    cpu: float


def measure(effort: Effort) -> Figure:
    """Two workloads; the larger of each kind of process is shown, after ``settle`` seconds without requests."""
    with meshes.control_plane() as mesh:
        meshes.start_all(mesh, [meshes.server(mesh), meshes.caller(mesh)])
        if mesh.control_plane is None:
            raise Failed("there is no control plane")
        pids = {
            "control plane": [mesh.control_plane.pid],
            "sidecar Envoy": [mesh.sidecar(name) for name in mesh.workloads],
            "agent with supervisor": [process.pid for process in mesh.workloads.values()],
        }
        time.sleep(effort.settle)
        found = _at_rest(pids, effort.settle)
    largest = {name: max(rests, key=lambda rest: rest.memory.rss) for name, rests in found.items()}
    targets = (
        _target("agent with supervisor, RSS", largest["agent with supervisor"], _AGENT_LIMIT),
        _target("control plane at rest, RSS", largest["control plane"], _CONTROL_PLANE_LIMIT),
    )
    rows = tuple(_row(name, rest) for name, rest in largest.items())
    notes = ("An Envoy's RSS counts its program text, which all Envoys of a host share: read its PSS and its own.",)
    return Figure(name=NAME, title=TITLE, columns=_COLUMNS, rows=rows, targets=targets, notes=notes, samples=found)


def _at_rest(pids: dict[str, list[int]], seconds: float) -> dict[str, list[Rest]]:
    every = [pid for group in pids.values() for pid in group]
    before = {pid: cpu_seconds(pid) for pid in every}
    time.sleep(seconds)
    used = {pid: (cpu_seconds(pid) - before[pid]) / seconds * 1000 for pid in every}
    return {name: [Rest(memory=memory_of(pid), cpu=used[pid]) for pid in group] for name, group in pids.items()}


def _target(what: str, rest: Rest, limit: float) -> Target:
    return Target(what=what, measured=rest.memory.rss, limit=limit, unit="MB")


def _row(name: str, rest: Rest) -> tuple[str, ...]:
    held = (rest.memory.rss, rest.memory.pss, rest.memory.anonymous)
    return (name, *(number(value, "MB") for value in held), number(rest.cpu, "ms/s"))
