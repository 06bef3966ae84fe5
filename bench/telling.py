"""How long a change takes to be acknowledged while proxies tell as much as a core can take, and while they are quiet.

Rounds of quiet and of each kind of telling take turns on one control plane; scripted clients acknowledge.
"""

import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench import mesh as meshes
from bench.crowd import Crowd, crowd_of, ended
from bench.flood import QUIET
from bench.harness import Effort, cpu_seconds, interleaved, percentile
from bench.propagation import Rules
from weft.demo.processes import Failed
from weft.kit.value import Value

RATES = {"points": 50_000, "entries": 50_000, "spans": 20_000}
"""What is told a second."""
_CLIENTS = 50
_CHANGES = 12
_BEGINNING = 0.5


class Turn(Value):
    """One kind for some seconds: how much of it came a second, the cores that the control plane used, and the
    milliseconds of each change from before the API call to the last ACK."""

    rate: float
    cores: float
    changes: tuple[float, ...]


class Telling(Value):
    """All turns by kind, quiet ones among them."""

    turns: dict[str, list[Turn]]

    def delay(self, kind: str, percent: float) -> float:
        """By how many milliseconds a kind delays changes, at a percentile of all changes."""
        return percentile(self._changes(kind), percent) - percentile(self._changes(QUIET), percent)

    def typical(self, kind: str) -> tuple[float, float]:
        """The medians of rates and cores."""
        turns = self.turns[kind]
        return statistics.median(turn.rate for turn in turns), statistics.median(turn.cores for turn in turns)

    def percentile(self, kind: str, percent: float) -> float:
        """Of all changes of a kind, in milliseconds."""
        return percentile(self._changes(kind), percent)

    def _changes(self, kind: str) -> list[float]:
        return [change for turn in self.turns[kind] for change in turn.changes]


def telling(effort: Effort) -> Telling:
    """Measure. Raises ``Failed``."""
    with meshes.control_plane() as mesh, mesh.client() as client:
        meshes.start_all(mesh, [meshes.server(mesh)])
        with crowd_of(mesh, _CLIENTS) as crowd, _flood(mesh) as flood:
            rules = Rules(client)
            crowd.acknowledged(rules.change())
            plane = mesh.control_plane.pid if mesh.control_plane else 0
            cases = {kind: lambda kind=kind: _turn(plane, flood, kind, crowd, rules) for kind in (QUIET, *RATES)}
            return Telling(turns=interleaved(effort.rounds, cases))


def _turn(plane: int, flood: "Flood", kind: str, crowd: Crowd, rules: Rules) -> Turn:
    flood.tell(kind)
    time.sleep(_BEGINNING)
    begun, before = time.monotonic(), cpu_seconds(plane)
    changes = [_change(crowd, rules) for _ in range(_CHANGES)]
    cores = (cpu_seconds(plane) - before) / (time.monotonic() - begun)
    return Turn(rate=flood.tell(QUIET), cores=cores, changes=tuple(changes))


def _change(crowd: Crowd, rules: Rules) -> float:
    time.sleep(random.uniform(0.02, 0.08))
    begun = time.monotonic()
    return (crowd.acknowledged(rules.change()) - begun) * 1000


class Flood:
    """The process that tells."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def tell(self, kind: str) -> float:
        """Tell something else from now on; what was told a second until now."""
        ask, answer = self._process.stdin, self._process.stdout
        if ask is None or answer is None or self._process.poll() is not None:
            raise Failed("the proxies that tell ended early")
        ask.write(f"{kind} {RATES.get(kind, 0)}\n")
        ask.flush()
        said = answer.readline().split()
        if len(said) != 2:
            raise Failed("the proxies that tell ended early")
        return float(said[0]) / float(said[1])


@contextmanager
def _flood(mesh: meshes.BenchMesh) -> Iterator[Flood]:
    command = [sys.executable, "-m", "bench.flood", str(mesh.directory / "scripted.json")]
    with (mesh.directory / "flood.log").open("ab") as errors:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        yield Flood(process)
    finally:
        process.terminate()
        ended(process)
