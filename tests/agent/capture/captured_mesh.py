"""A mesh over hosts of their own: a control plane on one, captured programs on two, and one host that knows no mesh."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.agent.capture.captive import wait_until
from tests.agent.capture.lan import Host, lan
from weft.agent.capture.cgroup import cgroup_of, place

VIRTUAL = {"reviews": "10.96.0.1", "db": "10.96.0.2", "echo": "10.96.0.3"}
PORTS = {"reviews": 9080, "db": 3306, "echo": 50051}
NAMESPACE = "shop"

SERVICE = """
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: shop}}
spec:
  clusterIP: {address}
  selector: {{app: {name}}}
  ports: [{{name: {protocol}, port: {port}, targetPort: {port}, appProtocol: {protocol}}}]
---
"""
GROUP = """---
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: {name: annotated, namespace: shop}
spec:
  metadata: {annotations: {traffic.sidecar.istio.io/excludeOutboundPorts: "7070"}}
  template: {serviceAccount: annotated}
"""
KILLED = ("agent", "envoy", "application", "guardian", "everything")
SHORT = ("--drain-seconds", "0")
STRICT = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: shop}
spec: {mtls: {mode: STRICT}}
"""


class Workload:
    """A running ``weft run --capture``."""

    def __init__(self, host: Host, name: str, process: "subprocess.Popen[str]", said: Path) -> None:
        self.host = host
        self.name = name
        self.process = process
        self._said = said

    def call(self, *command: str, timeout: float = 20) -> str:
        """Run a program as a child of the application would be run; what it said."""
        its = place(cgroup_of(self.name)) / "cgroup.procs"
        enter = ("sh", "-c", f'echo $$ > {its} && exec "$@"', "sh")
        done = subprocess.run(
            self.host.command(*enter, *command), capture_output=True, text=True, timeout=timeout, check=False
        )
        return (done.stdout + done.stderr).strip()

    @property
    def said(self) -> str:
        """What the agent and the application said."""
        return self._said.read_text()

    def child(self, name: str) -> int:
        """The pid of a child of the agent."""
        return next(pid for pid in children(self.process.pid) if told_of(pid, "comm").startswith(name.encode()))


def children(agent: int) -> list[int]:
    """The processes that an agent has started; some live for a moment only."""
    return [int(pid) for pid in Path(f"/proc/{agent}/task/{agent}/children").read_text().split()]


def told_of(pid: int, what: str) -> bytes:
    """A file of a process, empty when that is gone."""
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


class Mesh:
    """The hosts and what runs on them."""

    def __init__(self, hosts: tuple[Host, ...], directory: Path) -> None:
        self.control, self.servers, self.clients, self.outside = hosts
        self._directory = directory
        self._state = directory / "control"
        self.runtime = directory / "runtime"
        self.running: list[Workload] = []

    def weft(self, *arguments: str) -> str:
        """Run the command line beside the control plane; what it printed."""
        done = subprocess.run(
            self.control.command(sys.executable, "-m", "weft", *arguments),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={**os.environ, "WEFT_STATE": str(self._state)},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextlib.contextmanager
    def controlled(self) -> Iterator[None]:
        """The control plane, with the documents of this mesh."""
        log = (self._directory / "control.log").open("w")
        process = subprocess.Popen(
            self.control.command(sys.executable, "-m", "weft", "up", "--address", self.control.address),
            stdout=log,
            stderr=log,
            env={**os.environ, "WEFT_STATE": str(self._state)},
        )
        try:
            wait_until(lambda: (self._state / "ports.json").exists(), 40)
            documents = self._directory / "mesh.yaml"
            protocols = {"reviews": "http", "db": "tcp", "echo": "grpc"}
            documents.write_text(
                "".join(
                    SERVICE.format(name=name, address=address, port=PORTS[name], protocol=protocols[name])
                    for name, address in VIRTUAL.items()
                )
                + STRICT
                + GROUP
            )
            self.weft("apply", "-f", str(documents))
            yield
        finally:
            _end(process)
            log.close()

    @contextlib.contextmanager
    def workload(
        self,
        host: Host,
        name: str,
        *arguments: str,
        capture: str = "--capture",
        through: tuple[str, ...] = (),
        state: Path | None = None,
    ) -> Iterator[Workload]:
        """A captured program, running and known to the mesh; ended with the block. Its agent is started ``through``
        another program, with files of its own in ``state``."""
        given, state = state, state or self._directory / name
        token, roots = (given or self._directory) / f"{name}.token", self._state / "ca" / "root.pem"
        token.write_text(self.weft("token", "create", "-n", NAMESPACE, "--service", name))
        if given is not None:
            roots = Path(shutil.copy(roots, given))
            for file in (token, roots):
                os.chown(file, given.stat().st_uid, -1)
        said = self._directory / f"{name}.log"
        told = ("--service", name, "--name", name, "--address", host.address, "--token-file", str(token), *SHORT)
        trust = (
            "--join-url",
            f"https://{self.control.address}:7072",
            "--ca-file",
            str(roots),
        )
        with said.open("w") as log:
            process = subprocess.Popen(
                host.command(*through, sys.executable, "-m", "weft", "run", *told, *trust, capture, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                text=True,
                env={**os.environ, "WEFT_STATE": str(state), "WEFT_RUNTIME": str(self.runtime)},
            )
        made = Workload(host, name, process, said)
        try:
            wait_until(lambda: f"{name} is registered" in made.said or process.poll() is not None, 40)
            assert process.poll() is None, made.said
            self.running.append(made)
            yield made
            self.running.remove(made)
        except AssertionError as failed:
            raise AssertionError(f"{failed}\n{made.said}") from failed
        finally:
            _end(process)


@contextlib.contextmanager
def captured_mesh(directory: Path) -> Iterator[Mesh]:
    """Hosts, and a control plane that is ready."""
    with lan("control", "servers", "clients", "outside") as hosts:
        made = Mesh(hosts, directory)
        with made.controlled():
            yield made


def _end(process: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(20)


def headers_of(answer: str) -> dict[str, str]:
    """The headers that a server got, as it answered them."""
    found: dict[str, str] = json.loads(answer)
    return found


def crash(workload: Workload, what: str) -> None:
    """Kill a part of a workload, and wait until the agent has ended."""
    agent = workload.process.pid
    match what:
        case "agent":
            os.kill(agent, signal.SIGKILL)
        case "envoy":
            os.kill(workload.child("envoy"), signal.SIGKILL)
            wait_until(lambda: "envoy was ended by SIGKILL" in workload.said)
            os.kill(agent, signal.SIGTERM)
        case "application":
            os.kill(workload.child("sleep"), signal.SIGKILL)
        case "guardian":
            os.kill(workload.child("sh"), signal.SIGKILL)
            wait_until(lambda: "the rules are put in again" in workload.said)
            os.kill(agent, signal.SIGTERM)
        case _:
            for pid in (*(workload.child(name) for name in ("sh", "nft", "envoy", "sleep")), agent):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
    workload.process.wait(30)


def is_as_before(mesh: Mesh, host: Host, before: str, name: str) -> None:
    """Rules are gone by themselves. Of what was killed all at once there is a note and an empty cgroup to clean up."""
    wait_until(lambda: host.rules() == before)
    if _noted(mesh):
        host.weft("capture", "clean", runtime=mesh.runtime)
    wait_until(lambda: not place(cgroup_of(name)).exists())
    assert not _noted(mesh)


def _noted(mesh: Mesh) -> list[Path]:
    """The notes of workloads that do not run."""
    running = {one.name for one in mesh.running}
    return [one for one in (mesh.runtime / "capture").glob("*.json") if one.name.split("@")[0][5:] not in running]
