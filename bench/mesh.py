"""A mesh to measure: the demo's way of starting a control plane, with workloads of the bench's own."""

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench import static
from bench.load import Place, get, once
from bench.servers import Way, envoy_command
from weft.cli.client import Client
from weft.cli.connection import Connection
from weft.demo.mesh import DemoMesh
from weft.demo.processes import Process, free_port, until
from weft.kit.envoy_binary import find_envoy
from weft.kit.errors import WeftError
from weft.kit.state_dir import StateDir
from weft.kit.value import Value

NAMESPACE = "bench"
PORT = 9080
START_SECONDS = 45.0
_SERVER = "server"
_LOCAL = "BENCH_SERVER"


class Workload(Value):
    """What ``weft run`` starts. ``app_port`` 0: it only calls, and has a named upstream port for the server."""

    name: str
    service: str
    command: tuple[str, ...]
    app_port: int = 0


class BenchMesh(DemoMesh):
    """A control plane and any workloads, under one directory."""

    @property
    def state(self) -> StateDir:
        """The control plane's state directory."""
        return StateDir(root=self.directory / "state")

    def client(self) -> Client:
        """A connection to the API, to be closed by the caller."""
        return Client(
            Connection(
                address=f"https://127.0.0.1:{self.ports['api']}",
                token_file=self.state.admin_token,
                ca_file=self.state.bundle,
            )
        )

    def token(self, account: str) -> str:
        """A join token, as a user gets it."""
        words = ("token", "create", "--namespace", NAMESPACE, "--service-account", account, "--ttl", "5m")
        return self.weft(*words)

    def start(self, workload: Workload, token: str) -> Process:
        """Start ``weft run``."""
        file = self.directory / f"{workload.name}.token"
        file.touch(mode=0o600)
        file.write_text(token)
        process = self._start(workload.name, _run_command(workload, file, self.ports["agent"]))
        self.workloads[workload.name] = process
        return process

    def start_gateway(self, name: str, token: str) -> Process:
        """Start ``weft gateway run`` with one worker, for Gateways that select ``app`` by its name."""
        file = self.directory / f"{name}.token"
        file.touch(mode=0o600)
        file.write_text(token)
        options = [
            f"--name={name}", f"--label=app={name}", "--workers=1", "--health-port=0", f"--token-file={file}",
            f"--join-url=https://127.0.0.1:{self.ports['agent']}", "--drain-seconds=1",
        ]  # fmt: skip
        process = self._start(name, [sys.executable, "-m", "weft", "gateway", "run", *options])
        self.workloads[name] = process
        return process

    def wait_synced(self) -> None:
        """Wait until every workload's sidecar has acknowledged everything."""
        alive = list(self.workloads.values())
        until(lambda: self.synced(len(alive)), "not every sidecar is in sync", START_SECONDS, alive)

    def synced(self, count: int) -> bool:
        """Whether so many sidecars are connected and in sync."""
        with self.client() as client:
            return len(acknowledged(client)) == count

    def caller_file(self, workload: str) -> Path:
        """Where a caller writes down how it reaches the mesh."""
        return self.directory / f"{workload}.json"

    def ways(self, caller: str) -> dict[str, Place]:
        """How a caller reaches the server: through HTTP_PROXY, and through the port that stands for the server."""
        wrote = json.loads(self.caller_file(caller).read_text())
        host = f"{_SERVER}:{PORT}"
        proxy, local = (int(wrote[name].rstrip("/").rpartition(":")[2]) for name in ("HTTP_PROXY", _LOCAL))
        return {
            "HTTP_PROXY": Place(port=proxy, request=get(f"http://{host}/", host)),
            "named port": Place(port=local, request=get("/", host)),
        }

    def sidecar(self, workload: str) -> int:
        """The pid of a workload's Envoy: the agent's child that is not the application."""
        return next(pid for pid, envoy in self._tree(workload) if envoy)

    def _tree(self, workload: str) -> list[tuple[int, bool]]:
        envoy = str(find_envoy().path)
        children = psutil.Process(self.workloads[workload].pid).children()
        commands = [(child.pid, child.cmdline()) for child in children]
        return [(pid, words[0] == envoy and not _is_application(words)) for pid, words in commands if words]

    def _answers(self) -> bool:
        """Whether the control plane is ready, without the start of a command line in the figure."""
        try:
            with self.client() as client:
                client.ask("GET", "/readyz")
        except WeftError:
            return False
        return True


@contextmanager
def control_plane() -> Iterator[BenchMesh]:
    """A mesh without workloads, in a directory that goes with the block, like every process that was started."""
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as directory:
        mesh = BenchMesh(Path(directory))
        try:
            mesh.start_control_plane()
            yield mesh
        finally:
            mesh.stop()


def acknowledged(client: Client) -> dict[str, str]:
    """The proxies that have acknowledged everything, each with a text that differs when what it has differs."""
    proxies = client.get("/weft/v1/proxies")["items"]
    return {
        proxy["name"]: json.dumps(proxy["types"], sort_keys=True)
        for proxy in proxies
        if proxy["types"] and all(each["state"] == "SYNCED" for each in proxy["types"].values())
    }


def server(mesh: BenchMesh, name: str = _SERVER) -> Workload:
    """The application of the request path: an Envoy that answers."""
    port = free_port()
    command = envoy_command(f"application-{name}", static.backend(port), mesh.directory)
    return Workload(name=name, service=_SERVER, command=tuple(command), app_port=port)


def caller(mesh: BenchMesh, name: str = "caller") -> Workload:
    """A workload that writes down how it reaches the mesh, and waits."""
    command = (sys.executable, "-S", str(Path(__file__).with_name("caller.py")), str(mesh.caller_file(name)))
    return Workload(name=name, service="caller", command=(*command, "HTTP_PROXY", _LOCAL))


def start_all(mesh: BenchMesh, workloads: Sequence[Workload]) -> None:
    """Start workloads and wait until every caller gets answers from the server and every sidecar is in sync."""
    with mesh.client() as client:
        tokens = [client.post("/weft/v1/tokens", _token_for(workload))["token"] for workload in workloads]
    for workload, token in zip(workloads, tokens, strict=True):
        mesh.start(workload, token)
    callers = [workload.name for workload in workloads if not workload.app_port]
    alive = list(mesh.workloads.values())
    for name in callers:
        until(mesh.caller_file(name).exists, f"{name} did not start", START_SECONDS, alive)
        for place in mesh.ways(name).values():
            until(lambda place=place: once(place), f"{name} got no answer", START_SECONDS, alive)  # type: ignore[misc]
    mesh.wait_synced()


def way_of(mesh: BenchMesh, place: Place, caller_name: str = "caller") -> Way:
    """A way from a caller to the server, through both sidecars."""
    return Way(place=place, proxies=(("out", mesh.sidecar(caller_name)), ("in", mesh.sidecar(_SERVER))))


def _token_for(workload: Workload) -> dict[str, object]:
    return {"namespace": NAMESPACE, "serviceAccount": workload.service, "ttlSeconds": 300.0}


def _is_application(words: Sequence[str]) -> bool:
    return any("/application" in word for word in words)


def _run_command(workload: Workload, token_file: Path, agents_port: int) -> list[str]:
    options = [
        f"--name={workload.name}", f"--service={workload.service}", "--version=v1", f"--token-file={token_file}",
        f"--join-url=https://127.0.0.1:{agents_port}", "--drain-seconds=1", f"--upstream={_LOCAL}={_SERVER}:{PORT}",
    ]  # fmt: skip
    if workload.app_port:
        options += [f"--port={PORT}:{workload.app_port}", "--protocol=http", "--health=tcp"]
    return [sys.executable, "-m", "weft", "run", *options, "--", *workload.command]
