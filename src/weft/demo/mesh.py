"""A mesh of its own for the demo: a control plane and the shop, in a directory that goes when the demo ends."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from weft.demo.calls import Caller, caller
from weft.demo.processes import Failed, Interrupts, Process, free_port, until
from weft.demo.shop import HTTP_PORT, NAMESPACE, SHOP, VISITOR, Member, command_of

START_SECONDS = 45.0
STOP_SECONDS = 15.0


class DemoMesh:
    """The processes of one demo. ``directory`` must exist; everything is under it."""

    up_options: tuple[str, ...] = ()

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.interrupts = Interrupts()
        self.ports = {name: free_port() for name in ("api", "xds", "agent")}
        self.app_ports = {member.name: free_port() for member in SHOP}
        self.control_plane: Process | None = None
        self.workloads: dict[str, Process] = {}
        self._addresses_file = directory / "visitor.json"

    @property
    def environment(self) -> Mapping[str, str]:
        """What makes ``weft`` and ``kubectl`` talk to this mesh."""
        return {
            "WEFT_STATE": str(self.directory / "state"),
            "WEFT_ADDR": f"https://127.0.0.1:{self.ports['api']}",
            "PYTHONDONTWRITEBYTECODE": "",
        }

    def weft(self, *arguments: str) -> str:
        """Run the CLI and return what it prints. Raises ``Failed`` with its words when it fails."""
        done = subprocess.run(
            [sys.executable, "-m", "weft", *arguments],
            capture_output=True, text=True, timeout=60, check=False, env=self._environment(),
        )  # fmt: skip
        if done.returncode:
            raise Failed(f"`weft {' '.join(arguments)}` failed with {done.returncode}:\n{done.stderr.strip()}")
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """What the CLI prints as JSON."""
        return json.loads(self.weft(*arguments, "-o", "json"))

    def start_control_plane(self) -> None:
        """Start it, or start it again on the same state, and wait until it answers."""
        ports = [f"--{name}-port={number}" for name, number in self.ports.items()]
        command = [sys.executable, "-m", "weft", "up", *ports, *self.up_options]
        with self.interrupts.held():
            self.control_plane = self._start("control plane", command)
        until(self._answers, "the control plane did not answer", START_SECONDS, [self.control_plane])

    def kill_control_plane(self) -> None:
        """End it as a crash would, without a chance to say goodbye."""
        if self.control_plane:
            self.control_plane.kill()

    def start_workloads(self) -> None:
        """Start every workload at once, each with a join token of its own."""
        members = (*SHOP, VISITOR)
        # Nobody waits for a thread's command once its pool was left by an interrupt.
        with self.interrupts.held(), ThreadPoolExecutor(3) as pool:
            tokens = dict(zip([m.name for m in members], pool.map(self._token_file, members), strict=True))
        for member in members:
            command = self._run_command(member, tokens[member.name])
            with self.interrupts.held():
                self.workloads[member.name] = self._start(member.name, command)

    def wait_ready(self) -> None:
        """Wait until every workload has registered, the visitor reaches the HTTP services, all sidecars are in sync.

        A sidecar is in sync before its peers have come, too: so that is asked last.
        """
        alive = list(self.workloads.values())
        until(self._addresses_file.exists, "the visitor did not start", START_SECONDS, alive)
        until(lambda: self.registered() == set(self.workloads), "not every workload came", START_SECONDS, alive)
        with caller(self.addresses()["proxy"]) as visitor:
            for service in sorted({member.service for member in SHOP if member.protocol == "http"}):
                health = f"http://{service}:{HTTP_PORT}/healthz"
                until(partial(_answers, visitor, health), f"{service} is not reached", START_SECONDS, alive)
        until(lambda: self.synced(len(alive)), "not every sidecar is in sync", START_SECONDS, alive)

    def registered(self) -> set[str]:
        """The workloads that have registered, which they do when they are healthy."""
        return {entry["metadata"]["name"] for entry in self.json("get", "workloadentries", "-n", NAMESPACE)["items"]}

    def synced(self, count: int) -> bool:
        """Whether so many sidecars are connected and have acknowledged everything."""
        states = [proxy["state"] for proxy in self.json("proxy", "status")["items"]]
        return len(states) == count and set(states) == {"SYNCED"}

    def addresses(self) -> dict[str, str]:
        """How the visitor reaches the mesh: ``proxy``, ``orders`` and ``ledger``."""
        addresses: dict[str, str] = json.loads(self._addresses_file.read_text())
        return addresses

    def inbound_address(self, workload: str) -> str:
        """Where peers reach a workload's sidecar."""
        entry = self.json("get", "workloadentries", workload, "-n", NAMESPACE)
        return f"{entry['spec']['address']}:{next(iter(entry['spec']['ports'].values()))}"

    def stop(self) -> None:
        """End everything, the workloads first, whatever state they are in."""
        for process in self.workloads.values():
            process.ask_to_end()
        for process in self.workloads.values():
            process.wait(STOP_SECONDS)
        if self.control_plane:
            self.control_plane.ask_to_end()
            self.control_plane.wait(STOP_SECONDS)

    def _run_command(self, member: Member, token_file: Path) -> list[str]:
        options = [
            f"--name={member.name}", f"--service={member.service}", f"--version={member.version}",
            f"--token-file={token_file}", f"--join-url=https://127.0.0.1:{self.ports['agent']}", "--drain-seconds=1",
        ]  # fmt: skip
        if member.port:
            options += [f"--port={member.port}:{self.app_ports[member.name]}", f"--protocol={member.protocol}"]
            options += [f"--health={member.health}"]
        options += [f"--upstream={variable}={target}" for variable, target in member.upstreams]
        return [sys.executable, "-m", "weft", "run", *options, "--", *command_of(member, self._addresses_file)]

    def _token_file(self, member: Member) -> Path:
        path = self.directory / f"{member.name}.token"
        path.touch(mode=0o600)
        account = ("--service-account", member.service)
        path.write_text(self.weft("token", "create", "--namespace", NAMESPACE, *account, "--ttl", "5m"))
        return path

    def _start(self, name: str, command: list[str]) -> Process:
        log = self.directory / f"{name.replace(' ', '-')}.log"
        member = next((m for m in SHOP if m.name == name), None)
        extra = {"VERSION": member.version, "INSTANCE": member.name} if member else {}
        return Process(name, command, log, {**self.environment, **extra})

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **self.environment}

    def _answers(self) -> bool:
        try:
            self.weft("get", "services", "-A")
        except Failed:
            return False
        return True


def _answers(visitor: Caller, url: str) -> bool:
    return visitor.get(url).status == 200
