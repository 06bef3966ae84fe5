"""What changes cost the requests that run meanwhile: how many are lost, and the CPU of a request with and without them.

A caller's proxy and the server's, as ``weft run`` starts them. Listeners change by the mesh's configuration, clusters
by a ``DestinationRule``, routes by a ``VirtualService`` that leads to a new subset each time, one after the other
through the API. Quiet rounds and rounds with changes take turns.
"""

import http.client
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from bench import mesh as meshes
from bench.figure import Figure, Target, number, times
from bench.harness import Effort, cpu_seconds, interleaved, ratio
from bench.load import Place
from weft.cli.client import JSON, Client
from weft.demo.processes import Failed
from weft.kit.value import Value

NAME = "churn"
TITLE = "Requests while listeners, clusters and routes change"
LISTENERS, CLUSTERS, ROUTES = 30, 60, 60
_CLIENTS = 4
_PAUSE = 0.05
_ANSWER_SECONDS = 20.0
_NETWORKING = f"/apis/networking.istio.io/v1/namespaces/{meshes.NAMESPACE}"
_RULES, _TABLES = f"{_NETWORKING}/destinationrules", f"{_NETWORKING}/virtualservices"
_CONFIGURATION = "/api/v1/namespaces/istio-system/configmaps"
_QUIET, _CHANGING = "nothing changes", "changes, one after the other"


class Run(Value):
    """One round: requests by how they ended, and microseconds of CPU of each process for one."""

    answers: dict[str, int]
    changes: int
    caller: float
    server: float
    control_plane: float

    @property
    def lost(self) -> int:
        """Requests that were not answered with 200."""
        return sum(self.answers.values()) - self.answers.get("200", 0)


class Changes:
    """All changes, mixed evenly over as many rounds; each is another than the one before."""

    def __init__(self, client: Client, rounds: int) -> None:
        self._client = client
        self._subset = 0
        wanted = {self._listener: LISTENERS, self._cluster: CLUSTERS, self._route: ROUTES}
        order = sorted((turn / count, kind.__name__) for kind, count in wanted.items() for turn in range(count))
        by_name = {kind.__name__: kind for kind in wanted}
        self._steps = [by_name[name] for _, name in order]
        self._each = -(-len(self._steps) // rounds)
        self._done = 0

    def prepare(self) -> None:
        """What is changed must be there."""
        rule = {"host": "server", "subsets": self._subsets(), "trafficPolicy": _connections(0)}
        self._post(_RULES, "networking.istio.io/v1", "DestinationRule", "churn", {"spec": rule})
        table = {"hosts": ["server"], "http": self._rules()}
        self._post(_TABLES, "networking.istio.io/v1", "VirtualService", "churn", {"spec": table})
        self._post(_CONFIGURATION, "v1", "ConfigMap", "istio", {"data": _normalization(0)})

    def next_round(self) -> Iterator[None]:
        """The changes of a round, each made when it is asked for."""
        for step in self._steps[self._done : self._done + self._each]:
            self._done += 1
            step()
            yield

    def _listener(self) -> None:
        self._patch(f"{_CONFIGURATION}/istio", {"data": _normalization(self._done)})

    def _cluster(self) -> None:
        self._patch(f"{_RULES}/churn", {"spec": {"trafficPolicy": _connections(self._done)}})

    def _route(self) -> None:
        self._subset += 1
        self._patch(f"{_RULES}/churn", {"spec": {"subsets": self._subsets()}})
        self._patch(f"{_TABLES}/churn", {"spec": {"http": self._rules()}})

    def _subsets(self) -> list[Any]:
        """The one in use and the one before it, which goes with the next."""
        return [{"name": f"s{one}", "labels": {"version": "v1"}} for one in {max(0, self._subset - 1), self._subset}]

    def _rules(self) -> list[Any]:
        return [{"route": [{"destination": {"host": "server", "subset": f"s{self._subset}"}}]}]

    def _post(self, path: str, version: str, kind: str, name: str, content: dict[str, Any]) -> None:
        whole = {"apiVersion": version, "kind": kind, "metadata": {"name": name}} | content
        self._client.post(path, whole)

    def _patch(self, path: str, content: dict[str, Any]) -> None:
        headers = {"Content-Type": "application/merge-patch+json", "Accept": JSON}
        self._client.ask("PATCH", path, content=msgspec.json.encode(content), headers=headers)


def _connections(turn: int) -> dict[str, Any]:
    return {"connectionPool": {"tcp": {"connectTimeout": f"{5000 + turn}ms"}}}


def _normalization(turn: int) -> dict[str, str]:
    return {"mesh": f"pathNormalization: {{normalization: {('BASE', 'MERGE_SLASHES')[turn % 2]}}}"}


class Load:
    """Clients that keep their connections and send one request after the other for as long as the block lasts."""

    def __init__(self, place: Place) -> None:
        self.answers: Counter[str] = Counter()
        self._place = place
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(_CLIENTS)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(_ANSWER_SECONDS)

    def _run(self) -> None:
        connection = http.client.HTTPConnection(self._place.host, self._place.port, timeout=_ANSWER_SECONDS)
        answers: Counter[str] = Counter()
        while not self._ended.is_set():
            answers[_ask(connection)] += 1
        connection.close()
        self.answers.update(answers)


def _ask(connection: http.client.HTTPConnection) -> str:
    """The status, or what went wrong; a connection that the proxy said it would close is opened anew."""
    try:
        connection.request("GET", "/", headers={"Host": f"server:{meshes.PORT}"})
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException) as wrong:
        connection.close()
        return type(wrong).__name__
    return str(response.status)


def measure(effort: Effort) -> Figure:
    """Quiet rounds and rounds with changes, of equal length."""
    with meshes.control_plane() as mesh, mesh.client() as client:
        meshes.start_all(mesh, [meshes.server(mesh), meshes.caller(mesh)])
        changes = Changes(client, effort.rounds)
        changes.prepare()
        mesh.wait_synced()
        cases = {_CHANGING: lambda: _changing(mesh, changes), _QUIET: lambda: _quiet(mesh, effort.seconds)}
        samples = interleaved(effort.rounds, cases)
    rows = tuple(_row(name, runs, samples[_QUIET]) for name, runs in samples.items())
    made = samples[_CHANGING]
    lost = sum(run.lost for run in made)
    total = sum(sum(run.answers.values()) for run in made)
    said = f"requests lost of {total:,} during {sum(run.changes for run in made)} changes"
    target = Target(what=said, measured=float(lost), limit=0.0, unit="")
    columns = ("", "requests", "lost", "CPU/request out / in", "of quiet", "control plane")
    note = (
        f"{LISTENERS} changes of listeners, {CLUSTERS} of clusters and {ROUTES} of routes over {effort.rounds} rounds, "
        f"{_PAUSE * 1000:.0f} ms after the answer to the one before; {_CLIENTS} clients in Python, one request each."
    )
    return Figure(name=NAME, title=TITLE, columns=columns, rows=rows, targets=(target,), notes=(note,), samples=samples)


def _row(name: str, runs: list[Run], quiet: list[Run]) -> tuple[str, ...]:
    out, into, control = (
        statistics.median(getattr(run, side) for run in runs) for side in ("caller", "server", "control_plane")
    )
    both = [run.caller + run.server for run in runs]
    compared = "" if name == _QUIET else times(ratio(both, [run.caller + run.server for run in quiet]))
    requests = sum(sum(run.answers.values()) for run in runs)
    lost = sum(run.lost for run in runs)
    sides = f"{number(out)} / {number(into, 'us')}"
    return (name, f"{requests:,}", str(lost), sides, compared, number(control, "us"))


def _changing(mesh: meshes.BenchMesh, changes: Changes) -> Run:
    def work() -> int:
        made = 0
        for _ in changes.next_round():
            made += 1
            time.sleep(_PAUSE)
        return made

    return _run(mesh, work)


def _quiet(mesh: meshes.BenchMesh, seconds: float) -> Run:
    def work() -> int:
        time.sleep(seconds)
        return 0

    return _run(mesh, work)


def _run(mesh: meshes.BenchMesh, work: Callable[[], int]) -> Run:
    """The load while something is done."""
    assert mesh.control_plane is not None
    pids = (mesh.sidecar("caller"), mesh.sidecar("server"), mesh.control_plane.pid)
    before = [cpu_seconds(pid) for pid in pids]
    with Load(mesh.ways("caller")["named port"]) as load:
        changes = work()
    spent = [cpu_seconds(pid) - begun for pid, begun in zip(pids, before, strict=True)]
    if not (total := load.answers.total()):
        raise Failed("no request was answered")
    caller, server, control = (one / total * 1e6 for one in spent)
    return Run(answers=dict(load.answers), changes=changes, caller=caller, server=server, control_plane=control)
