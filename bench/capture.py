"""What transparent capture costs a request, of what the explicit ways cost: CPU of both sidecars.

A captured caller's sidecar has an explicit port besides (a Sidecar of ``HTTP_PROXY``), so that both ways go through the
very same process: two Envoys of one configuration differ by more than what is asked for here. Callees cannot be had so,
and there are two of each kind: by how much two of a kind differ is told too. Connections are kept, and the ways
take turns of a tenth of a second.

Everything runs in a network namespace of its own, on one address, so that no rule touches this machine.
``python -m bench.capture inside JSON`` is the part that runs in the namespace, ``calls`` what makes the calls.
"""

import json
import math
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import msgspec

from bench import mesh as meshes
from bench import static
from bench.figure import Figure, Target, number
from bench.harness import Effort, cpu_seconds, interleaved
from bench.load import Clients, Place, get, once
from bench.servers import envoy_command
from weft.agent.capture.cgroup import cgroup_of, place
from weft.demo.processes import Failed, free_port, until

NAME = "capture"
TITLE = "Transparent capture"
MOST = 2.0
_TURN = 0.1
_CONNECTIONS = 32
_NAMESPACE = f"weft-bench-{os.getpid()}"
_CALLER = "captive-caller"
_CAPTIVES = {"captive-1": ("10.96.0.1", 9080), "captive-2": ("10.96.0.2", 9081)}
_SERVERS = {"server-1": ("10.96.0.3", 9080), "server-2": ("10.96.0.4", 9080)}
_ALL = _SERVERS | _CAPTIVES
_NEEDED = ("ip", "nft", "nsenter")
_SERVICE = """
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  clusterIP: {address}
  selector: {{app: {name}}}
  ports: [{{name: http, port: {port}, targetPort: {port}, appProtocol: http}}]
---
"""
_SIDECAR = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  workloadSelector: {{labels: {{app: {name}}}}}
  egress:
  - port: {{number: {port}, protocol: HTTP_PROXY, name: explicit}}
    bind: 127.0.0.1
    hosts: [./*]
  - hosts: [./*]
"""

Sample = tuple[float, float]
"""Microseconds of CPU per request of the caller's and of the callee's proxy."""


def measure(effort: Effort) -> Figure:
    """The captured way and the explicit one, in turns. Raises ``Failed`` without root."""
    missing = [name for name in _NEEDED if not shutil.which(name)]
    if os.geteuid() or missing:
        raise Failed("needs root, to make a network namespace" if os.geteuid() else f"not installed: {missing}")
    with _namespace():
        done = subprocess.run(
            _within(sys.executable, "-m", "bench.capture", "inside", msgspec.json.encode(effort).decode()),
            stdout=subprocess.PIPE,
            text=True,
            check=False,
            timeout=120 + effort.rounds * effort.seconds * 20,
        )
    if done.returncode:
        raise Failed(f"the part in the namespace ended with {done.returncode}")
    samples: dict[str, list[Sample]] = {
        name: [tuple(one) for one in found] for name, found in json.loads(done.stdout).items()
    }
    return _figure(samples)


def _figure(samples: Mapping[str, list[Sample]]) -> Figure:
    """Every case is compared with what is its like but for capture."""
    means = {name: [statistics.fmean(one) for one in zip(*found, strict=True)] for name, found in samples.items()}
    explicit = _together(samples, [f"explicit to {name}" for name in _SERVERS])
    captured = _together(samples, [f"captured to {name}" for name in _CAPTIVES])
    calls = _together(samples, [f"captured to {name}" for name in _ALL])
    asked = _together(samples, [f"explicit to {name}" for name in _ALL])
    whole, own = _compared(captured, explicit), _compared(calls, asked)
    rows = [(name, *(number(one, "us") for one in found), "") for name, found in means.items()]
    rows.append(("calls captured or not, by one and the same sidecar", "", "", _told(own)))
    rows.append(("both captured or none", "", "", _told(whole)))
    rows.append(("two explicit callees", "", "", _told(_compared(*_likes(samples, _SERVERS)))))
    rows.append(("two captured callees", "", "", _told(_compared(*_likes(samples, _CAPTIVES)))))
    what = "CPU that a request captured on both sides costs more than an explicit one"
    return Figure(
        name=NAME,
        title=TITLE,
        columns=("way", "caller's proxy", "callee's proxy", "difference"),
        rows=tuple(rows),
        targets=(Target(what=what, measured=whole[0], limit=MOST, unit="us"),),
        notes=(
            f"{len(explicit)} turns of {_TURN:g} s for each way, {_CONNECTIONS} kept connections; all on one host.",
            "A difference is the mean of the turns' differences, with the interval that holds it 19 times of 20.",
            "Callees are other processes: where two of a kind differ by more than the limit, so may two of two kinds.",
        ),
        samples=samples,
    )


def _likes(samples: Mapping[str, list[Sample]], callees: Mapping[str, object]) -> tuple[list[float], list[float]]:
    one, other = callees
    return tuple(  # type: ignore[return-value]
        _together(samples, [f"explicit to {name}", f"captured to {name}"]) for name in (one, other)
    )


def _together(samples: Mapping[str, list[Sample]], names: Sequence[str]) -> list[float]:
    """Both proxies' CPU by turn, on the average of some cases."""
    return [statistics.fmean(sum(one) for one in turn) for turn in zip(*(samples[name] for name in names), strict=True)]


def _compared(values: Sequence[float], bases: Sequence[float]) -> tuple[float, float]:
    """The trimmed mean of the turns' differences, and how far from it the true one may be 19 times of 20 (Tukey and
    McLaughlin, 1963). The outer fifth on either side is left out: something else disturbed those turns."""
    found = sorted(value - base for value, base in zip(values, bases, strict=True))
    cut = len(found) // 5
    kept = found[cut : len(found) - cut]
    drawn_in = [min(max(one, kept[0]), kept[-1]) for one in found]
    error = statistics.stdev(drawn_in) / (len(kept) / len(found) * math.sqrt(len(found)))
    return statistics.fmean(kept), 1.96 * error


def _told(difference: tuple[float, float]) -> str:
    return f"{number(difference[0])} ± {number(difference[1], 'us')}"


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
        explicit = _start(mesh)
        cases = {}
        for name, (address, port) in _ALL.items():
            host = f"{name}:{port}"
            ways = {
                "explicit": Place(port=explicit, request=get(f"http://{host}/", host)),
                "captured": Place(host=address, port=port, request=get("/", host)),
            }
            for way, target in ways.items():
                calls = stack.enter_context(_Calls(target, _CALLER if way == "captured" else ""))
                until(calls.answered, f"{way} to {name}: no answer", 30, ())
                cases[f"{way} to {name}"] = _case(calls, (mesh.sidecar(_CALLER), mesh.sidecar(name)))
        for case in cases.values():
            case()
        return interleaved(max(10, round(effort.rounds * effort.seconds / _TURN)), cases)


def _start(mesh: meshes.BenchMesh) -> int:
    """Start all; the explicit port of the captured caller."""
    explicit = free_port()
    file = mesh.directory / "capture.yaml"
    services = "".join(
        _SERVICE.format(name=name, namespace=meshes.NAMESPACE, address=address, port=port)
        for name, (address, port) in _ALL.items()
    )
    file.write_text(services + _SIDECAR.format(name=_CALLER, namespace=meshes.NAMESPACE, port=explicit))
    mesh.weft("apply", "-f", str(file))
    for name, (_, port) in _ALL.items():
        own = port if name in _CAPTIVES else free_port()
        application = envoy_command(f"application-{name}", static.backend(own), mesh.directory)
        captured = ["--capture"] if name in _CAPTIVES else []
        _run(mesh, name, [f"--port=http:{port}:{own}", "--health=tcp", *captured], application)
    _run(mesh, _CALLER, ["--capture"], ["sleep", "86400"])
    everybody = len(_ALL) + 1
    until(
        lambda: mesh.synced(everybody), "not every sidecar is in sync", meshes.START_SECONDS, [*mesh.workloads.values()]
    )
    return explicit


def _run(mesh: meshes.BenchMesh, name: str, options: list[str], command: list[str]) -> None:
    token = mesh.directory / f"{name}.token"
    token.touch(mode=0o600)
    token.write_text(mesh.token(name))
    usual = [
        f"--name={name}", f"--service={name}", f"--token-file={token}",
        f"--join-url=https://127.0.0.1:{mesh.ports['agent']}", "--drain-seconds=0",
    ]  # fmt: skip
    command = [sys.executable, "-m", "weft", "run", *usual, *options, "--", *command]
    mesh.workloads[name] = mesh._start(name, command)


def _case(calls: "_Calls", proxies: tuple[int, int]) -> Callable[[], Sample]:
    def run() -> Sample:
        before = [cpu_seconds(pid) for pid in proxies]
        requests = calls.saturate(_TURN)
        out, into = (cpu_seconds(pid) - then for pid, then in zip(proxies, before, strict=True))
        return out / requests * 1e6, into / requests * 1e6

    return run


class _Calls:
    """A process that calls one place, perhaps as a child of a captured application would."""

    def __init__(self, target: Place, captive: str) -> None:
        place_ = {"host": target.host, "port": target.port, "request": target.request.decode()}
        words = [sys.executable, "-m", "bench.capture", "calls", json.dumps(place_)]
        if captive:
            procs = place(cgroup_of(captive)) / "cgroup.procs"
            words[:0] = ["sh", "-c", f'echo $$ > {procs} && exec "$@"', "sh"]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> "_Calls":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=10)

    def answered(self) -> bool:
        """Whether one is answered."""
        return bool(self._ask(0))

    def saturate(self, seconds: float) -> int:
        """How many requests were answered."""
        return self._ask(seconds)

    def _ask(self, seconds: float) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def calls(asked: str) -> None:
    """Call for as long as each line of standard input says, and say how many were answered; 0: once."""
    found = json.loads(asked)
    target = Place(host=found["host"], port=found["port"], request=found["request"].encode())
    with ExitStack() as stack:
        clients: Clients | None = None
        for line in sys.stdin:
            if seconds := float(line):
                clients = clients or stack.enter_context(Clients(target, _CONNECTIONS))
                answered = clients.saturate(seconds).requests
            else:
                answered = int(once(target))
            sys.stdout.write(f"{answered}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1] == "calls":
        calls(sys.argv[2])
    else:
        sys.stdout.write(json.dumps(inside(msgspec.json.decode(sys.argv[2], type=Effort))))
