"""What transparent capture costs a request, of what the explicit ways cost: CPU of both sidecars.

Everything runs in a network namespace of its own, on one address, so that no rule touches this machine. The calls are
made by a process of their own for each way; that of the captured way is in the captured application's cgroup.
``python -m bench.capture inside JSON`` is the part that runs in the namespace, ``calls`` what makes the calls.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import msgspec

from bench import mesh as meshes
from bench import static
from bench.figure import Figure, Target, number
from bench.harness import Effort, cpu_seconds, difference, interleaved
from bench.load import Place, get, once, saturate
from bench.servers import envoy_command
from weft.agent.capture.cgroup import cgroup_of, place
from weft.demo.processes import Failed, until

NAME = "capture"
TITLE = "Transparent capture"
MOST = 2.0
_CAPTURED = "captured"
_NAMESPACE = f"weft-bench-{os.getpid()}"
_VIRTUAL = "10.96.0.1"
_CALLER, _SERVER = "captive-caller", "captive"
_NEEDED = ("ip", "nft", "nsenter")
_SERVICE = f"""
apiVersion: v1
kind: Service
metadata: {{name: {_SERVER}, namespace: {meshes.NAMESPACE}}}
spec:
  clusterIP: {_VIRTUAL}
  selector: {{app: {_SERVER}}}
  ports: [{{name: http, port: {meshes.PORT}, targetPort: {meshes.PORT}, appProtocol: http}}]
"""

Sample = tuple[float, float]
"""Microseconds of CPU per request of the caller's and of the callee's proxy."""


def measure(effort: Effort) -> Figure:
    """The captured way and the explicit ones, in turns. Raises ``Failed`` without root."""
    missing = [name for name in _NEEDED if not shutil.which(name)]
    if os.geteuid() or missing:
        raise Failed("needs root, to make a network namespace" if os.geteuid() else f"not installed: {missing}")
    with _namespace():
        done = subprocess.run(
            _within(sys.executable, "-m", "bench.capture", "inside", msgspec.json.encode(effort).decode()),
            stdout=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60 + effort.rounds * effort.seconds * 8,
        )
    if done.returncode:
        raise Failed(f"the part in the namespace ended with {done.returncode}")
    samples: dict[str, list[Sample]] = {
        name: [tuple(one) for one in found] for name, found in json.loads(done.stdout).items()
    }
    return _figure(samples, effort)


def _figure(samples: Mapping[str, list[Sample]], effort: Effort) -> Figure:
    sums = {name: [sum(one) for one in found] for name, found in samples.items()}
    rows, targets = [], []
    for name, found in samples.items():
        added = difference(sums[_CAPTURED], sums[name])
        sides = [number(statistics.median(each), "us") for each in zip(*found, strict=True)]
        rows.append((name, *sides, "" if name == _CAPTURED else number(added, "us")))
        if name != _CAPTURED:
            what = f"CPU that a captured request costs more than by {name}"
            targets.append(Target(what=what, measured=added, limit=MOST, unit="us"))
    return Figure(
        name=NAME,
        title=TITLE,
        columns=("way", "caller's proxy", "callee's proxy", "a captured request costs more by"),
        rows=tuple(rows),
        targets=tuple(targets),
        notes=(f"{effort.rounds} rounds of {effort.seconds:g} s for each way, in turns; all on one host.",),
        samples=samples,
    )


@contextmanager
def _namespace() -> Iterator[None]:
    try:
        _ip("netns", "add", _NAMESPACE)
        _ip("-n", _NAMESPACE, "link", "set", "lo", "up")
        _ip("-n", _NAMESPACE, "address", "add", "10.78.0.1/32", "dev", "lo")
        _ip("-n", _NAMESPACE, "route", "add", "10.96.0.0/16", "dev", "lo")
        yield
    finally:
        subprocess.run(("ip", "netns", "del", _NAMESPACE), capture_output=True, check=False, timeout=10)


def _ip(*words: str) -> None:
    done = subprocess.run(("ip", *words), capture_output=True, text=True, check=False, timeout=10)
    if done.returncode:
        raise Failed(f"ip {' '.join(words)}: {done.stderr.strip()}")


def _within(*command: str) -> tuple[str, ...]:
    return ("nsenter", f"--net=/run/netns/{_NAMESPACE}", *command)


def inside(effort: Effort) -> dict[str, list[Sample]]:
    """Measure, in the namespace."""
    with ExitStack() as stack:
        mesh = stack.enter_context(meshes.control_plane())
        meshes.start_all(mesh, [meshes.server(mesh), meshes.caller(mesh)])
        captured = _captured(mesh)
        ways = {name: (each, "caller", "server", "") for name, each in mesh.ways("caller").items()}
        ways[_CAPTURED] = (captured, _CALLER, _SERVER, _CALLER)
        cases = {}
        for name, (target, caller, callee, captive) in ways.items():
            calls = stack.enter_context(_Calls(captive))
            until(lambda calls=calls, target=target: calls.once(target), f"{name}: no answer", 30, ())  # type: ignore[misc]
            cases[name] = _case(calls, target, (mesh.sidecar(caller), mesh.sidecar(callee)), effort.seconds)
        return interleaved(effort.rounds, cases)


def _captured(mesh: meshes.BenchMesh) -> Place:
    """Start a captured server and a captured caller, and wait for both."""
    file = mesh.directory / "captive.yaml"
    file.write_text(_SERVICE)
    mesh.weft("apply", "-f", str(file))
    application = envoy_command("application-captive", static.backend(meshes.PORT), mesh.directory)
    _run(mesh, _SERVER, ["--port", str(meshes.PORT), "--health=tcp"], application)
    _run(mesh, _CALLER, [], ["sleep", "86400"])
    until(lambda: mesh.synced(4), "not every sidecar is in sync", meshes.START_SECONDS, list(mesh.workloads.values()))
    return Place(host=_VIRTUAL, port=meshes.PORT, request=get("/", f"{_SERVER}:{meshes.PORT}"))


def _run(mesh: meshes.BenchMesh, name: str, options: list[str], command: list[str]) -> None:
    token = mesh.directory / f"{name}.token"
    token.touch(mode=0o600)
    token.write_text(mesh.token(name))
    usual = [
        f"--name={name}", f"--service={name}", f"--token-file={token}",
        f"--join-url=https://127.0.0.1:{mesh.ports['agent']}", "--drain-seconds=0", "--capture",
    ]  # fmt: skip
    command = [sys.executable, "-m", "weft", "run", *usual, *options, "--", *command]
    mesh.workloads[name] = mesh._start(name, command)


def _case(calls: "_Calls", target: Place, proxies: tuple[int, int], seconds: float) -> Callable[[], Sample]:
    def run() -> Sample:
        before = [cpu_seconds(pid) for pid in proxies]
        requests = calls.saturate(target, seconds)
        out, into = (cpu_seconds(pid) - then for pid, then in zip(proxies, before, strict=True))
        return out / requests * 1e6, into / requests * 1e6

    return run


class _Calls:
    """A process that calls, perhaps as a child of a captured application would."""

    def __init__(self, captive: str) -> None:
        words = (sys.executable, "-m", "bench.capture", "calls")
        if captive:
            procs = place(cgroup_of(captive)) / "cgroup.procs"
            words = ("sh", "-c", f'echo $$ > {procs} && exec "$@"', "sh", *words)
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> "_Calls":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=10)

    def once(self, target: Place) -> bool:
        """Whether it is answered."""
        return bool(self._ask(target, 0))

    def saturate(self, target: Place, seconds: float) -> int:
        """How many requests were answered."""
        return self._ask(target, seconds)

    def _ask(self, target: Place, seconds: float) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"host": target.host, "port": target.port, "request": target.request.decode(), "seconds": seconds}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def calls() -> None:
    """Call as each line of standard input says, and say how many were answered."""
    for line in sys.stdin:
        asked = json.loads(line)
        target = Place(host=asked["host"], port=asked["port"], request=asked["request"].encode())
        answered = saturate(target, asked["seconds"]).requests if asked["seconds"] else int(once(target))
        sys.stdout.write(f"{answered}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1] == "calls":
        calls()
    else:
        found = inside(msgspec.json.decode(sys.argv[2], type=Effort))
        sys.stdout.write(json.dumps(found))
