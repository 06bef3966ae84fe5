"""How long a change takes from the API call to the ACK of the last proxy."""

import random
import time
from collections.abc import Callable

import msgspec

from bench import mesh as meshes
from bench.crowd import crowd_of
from bench.figure import Figure, Target, number
from bench.harness import Effort, percentile
from bench.scripted import MARKER
from weft.cli.client import JSON, Client
from weft.demo.processes import Failed
from weft.kit.value import Value

NAME = "propagation"
TITLE = "From a change to the last proxy's ACK"
ENVOYS = 10
CLIENTS = 200
_LIMIT_MS = {ENVOYS: 300.0, CLIENTS: 1000.0}
_PATIENCE = 15.0
_POLL = 0.005
_PATH = f"/apis/networking.istio.io/v1/namespaces/{meshes.NAMESPACE}/virtualservices"
_COLUMNS = ("proxies", "changes", "written p50", "last ACK p50", "last ACK p99", "slowest")


class Change(Value):
    """One change, in milliseconds from before the API call: to its answer, and to the last proxy's ACK."""

    written: float
    acknowledged: float


class Rules:
    """A VirtualService of the server that every caller is sent, written with another marker each time."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._count = 0

    def change(self) -> str:
        """Write it; the marker that its routes now carry."""
        self._count += 1
        marker = f"{MARKER}{self._count:06d}"
        content = msgspec.json.encode(_rule(marker))
        headers = {"Content-Type": JSON}
        if self._count == 1:
            self._client.ask("POST", _PATH, content=content, headers=headers)
        else:
            merge = {"Content-Type": "application/merge-patch+json"}
            self._client.ask("PATCH", f"{_PATH}/bench", content=content, headers=merge)
        return marker


def measure(effort: Effort) -> Figure:
    """First with real Envoys, then with scripted clients beside them on the same control plane."""
    real, scripted = _with_envoys(effort), _with_clients(effort)
    rows = (_row(f"{ENVOYS} Envoys", real), _row(f"{CLIENTS} scripted clients", scripted))
    targets = (_target(f"change to last ACK, {ENVOYS} Envoys", real, ENVOYS),
               _target(f"change to last ACK, {CLIENTS} scripted clients", scripted, CLIENTS))  # fmt: skip
    notes = (
        "A change is a patch of a VirtualService that every proxy is sent as routes. An Envoy's ACK is read from the "
        f"API, asked every {_POLL * 1000:.0f} ms, which is in the figure; scripted clients note the time themselves.",
    )
    samples = {str(ENVOYS): real, str(CLIENTS): scripted}
    return Figure(name=NAME, title=TITLE, columns=_COLUMNS, rows=rows, targets=targets, notes=notes, samples=samples)


def _with_envoys(effort: Effort) -> list[Change]:
    with meshes.control_plane() as mesh, mesh.client() as client:
        callers = [meshes.caller(mesh, f"caller-{number}") for number in range(1, ENVOYS)]
        meshes.start_all(mesh, [meshes.server(mesh), *callers])
        return _changes(client, effort.changes, _until_acknowledged(client))


def _with_clients(effort: Effort) -> list[Change]:
    with meshes.control_plane() as mesh, mesh.client() as client:
        meshes.start_all(mesh, [meshes.server(mesh)])
        with crowd_of(mesh, CLIENTS) as crowd:
            return _changes(client, effort.changes, lambda marker, before: crowd.acknowledged(marker))


Snapshot = dict[str, str]


def _changes(client: Client, count: int, acknowledged: Callable[[str, Snapshot], float]) -> list[Change]:
    """Make changes one after the other, each well after the one before; the first, which creates, is not counted."""
    rules, changes = Rules(client), list[Change]()
    for _ in range(count + 1):
        before = meshes.acknowledged(client)
        begun = time.monotonic()
        marker = rules.change()
        written = time.monotonic()
        last = acknowledged(marker, before)
        changes.append(Change(written=(written - begun) * 1000, acknowledged=(last - begun) * 1000))
        time.sleep(random.uniform(0.1, 0.3))
    return changes[1:]


def _until_acknowledged(client: Client) -> Callable[[str, Snapshot], float]:
    """Wait until every proxy has acknowledged something newer than before."""

    def wait(marker: str, before: Snapshot) -> float:
        deadline = time.monotonic() + _PATIENCE
        while True:
            now = meshes.acknowledged(client)
            seen = time.monotonic()
            if all(now.get(name, old) != old for name, old in before.items()):
                return seen
            if seen > deadline:
                raise Failed(f"{marker} was not acknowledged by every proxy within {_PATIENCE:g} s")
            time.sleep(_POLL)

    return wait


def _rule(marker: str) -> dict[str, object]:
    added = {"response": {"add": {"x-bench": marker}}}
    route = {"name": "all", "headers": added, "route": [{"destination": {"host": "server"}}]}
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "bench", "namespace": meshes.NAMESPACE},
        "spec": {"hosts": ["server"], "http": [route]},
    }


def _row(who: str, changes: list[Change]) -> tuple[str, ...]:
    last = [change.acknowledged for change in changes]
    figures = (
        percentile([change.written for change in changes], 50),
        percentile(last, 50), percentile(last, 99), max(last),
    )  # fmt: skip
    return (who, str(len(changes)), *(number(figure, "ms") for figure in figures))


def _target(what: str, changes: list[Change], proxies: int) -> Target:
    measured = percentile([change.acknowledged for change in changes], 99)
    return Target(what=f"{what}, p99", measured=measured, limit=_LIMIT_MS[proxies], unit="ms")
