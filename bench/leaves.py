"""Requests that are lost while certificates live for a minute: none, over half an hour.

Only when it is asked for, since it takes long. The load is light, so that it can run beside other work: some requests a
second over kept connections, by both ways into the mesh, and between the sidecars a new connection, with the
certificates of that moment, for every few of them.
"""

import http.client
import json
import tempfile
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import msgspec

from bench.figure import Figure, Target, number
from bench.harness import FULL, Effort, percentile
from bench.load import Place
from bench.mesh import BenchMesh, caller, server, start_all

NAME = "leaves"
TITLE = "Requests while certificates live for 60 s"
_RATE = 30
_LIFETIME = 60
_PATIENCE = 10.0
_RULE = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: server, namespace: bench}
spec: {host: server, trafficPolicy: {connectionPool: {http: {maxRequestsPerConnection: 10}}}}
"""


class LeafMesh(BenchMesh):
    """A control plane that signs for a minute."""

    up_options = ("--leaf-ttl", f"{_LIFETIME}s")


def seconds_of(effort: Effort) -> float:
    """How long it takes."""
    return 1800.0 if effort is FULL else 75.0


def measure(effort: Effort) -> Figure:
    """The figure. Raises ``Failed`` when the mesh does not come up."""
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as directory:
        mesh = LeafMesh(Path(directory))
        try:
            mesh.start_control_plane()
            rule = mesh.directory / "rule.yaml"
            rule.write_text(_RULE)
            mesh.weft("apply", "-f", str(rule))
            start_all(mesh, [server(mesh), caller(mesh)])
            calls = _Calls(list(mesh.ways("caller").values()))
            calls.run(seconds_of(effort))
            return _figure(calls, _renewals(mesh), seconds_of(effort))
        finally:
            mesh.stop()


class _Calls:
    """One request after the other by the clock; what is lost is counted and told."""

    def __init__(self, ways: list[Place]) -> None:
        self._ways = ways
        self._kept: dict[int, http.client.HTTPConnection] = {}
        self.times: list[float] = []
        self.lost: Counter[str] = Counter()

    def run(self, seconds: float) -> None:
        """Send for so long."""
        begun = time.monotonic()
        for count in range(int(seconds * _RATE)):
            time.sleep(max(0.0, begun + count / _RATE - time.monotonic()))
            self._call(self._ways[count % len(self._ways)])
        for connection in self._kept.values():
            connection.close()

    def _call(self, place: Place) -> None:
        """A request on a connection that is kept; nothing is tried again."""
        words = place.request.decode().split()
        connection = self._kept.get(place.port)
        if connection is None:
            connection = self._kept[place.port] = http.client.HTTPConnection(place.host, place.port, timeout=_PATIENCE)
        began = time.monotonic()
        try:
            connection.request("GET", words[1], headers={"host": words[words.index("Host:") + 1]})
            answer = connection.getresponse()
            answer.read()
        except OSError as failed:
            self._lose(place.port, type(failed).__name__)
            return
        if answer.status == 200:
            self.times.append(time.monotonic() - began)
        else:
            self.lost[f"status {answer.status}"] += 1

    def _lose(self, port: int, why: str) -> None:
        self.lost[why] += 1
        with closing(self._kept.pop(port)), suppress(OSError):
            pass


def _renewals(mesh: BenchMesh) -> int:
    """Certificates that were renewed, as the audit log has it."""
    entries = (msgspec.json.decode(line) for file in mesh.state.audit.glob("*.jsonl") for line in file.open("rb"))
    return sum(1 for entry in entries if entry.get("verb") == "renew" and entry.get("outcome") == "allowed")


def _figure(calls: _Calls, renewals: int, seconds: float) -> Figure:
    lost = sum(calls.lost.values())
    count = len(calls.times) + lost
    p50, p99 = (percentile(calls.times, part) * 1000 for part in (50, 99))
    row = (number(seconds, "s"), f"{count:,}", str(lost), f"{renewals:,}", number(p50, "ms"), number(p99, "ms"))
    return Figure(
        name=NAME,
        title=TITLE,
        columns=("for", "requests", "lost", "renewals", "p50", "p99"),
        rows=(row,),
        targets=(Target(what="requests lost with 60 s leaves", measured=float(lost), limit=0.0, unit=""),),
        notes=(f"What was lost: {json.dumps(calls.lost)}." if lost else "Nothing was lost.",),
        samples={"requests": count, "lost": dict(calls.lost), "renewals": renewals},
    )
