"""Workloads of a test's mesh: an agent with its Envoy beside each, as ``weft run`` would start them."""

import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2

from weft.agent.config import AgentConfig, write_config
from weft.kit.errors import UserError
from weft.testing.applications import Served
from weft.testing.nurse import Nurse, until

_LAST_LINES = 15
_PATIENCE = 40.0
_REOPEN_TIMEOUT = 2.0
_TELL = 'env > "$0.part" && mv "$0.part" "$0" && '
_WAIT = (*("/bin/sh", "-c"), _TELL + "exec sleep 2147483647")
_RUN = (*("/bin/sh", "-c"), _TELL + 'exec "$@"')


class Workload:
    """One workload. ``environment`` and what follows from it wait until its application has been started."""

    def __init__(self, config: AgentConfig, directory: Path, nurse: Nurse, served: Served | None) -> None:
        self.name = config.name
        self.service = config.service
        self.namespace = config.namespace
        self.ports = tuple(port.port for port in config.ports)
        self._nurse = nurse
        self._served = served
        self._commanded = bool(config.command)
        self._log = directory / f"{config.name}.log"
        self._told = directory / f"{config.name}.environment"
        self._place = config.state_dir / "workloads" / config.name
        command = (*_RUN, str(self._told), *config.command) if config.command else (*_WAIT, str(self._told))
        file = directory / f"{config.name}.json"
        file.write_bytes(write_config(_with_command(config, command)))
        self._pid = nurse.start(file, self._log)
        self._http: httpx2.Client | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """What ``weft run`` told its application: ``HTTP_PROXY``, ``PORT``, ``WEFT_UPSTREAM_...``."""
        until(self._has_told, f"{self.name} did not start:\n{self.log}", _PATIENCE)
        lines = (line.partition("=") for line in self._told.read_text().splitlines())
        return {name: value for name, equals, value in lines if equals}

    @property
    def proxy(self) -> str:
        """The HTTP proxy of its sidecar: the way into the mesh as this workload."""
        return self.environment["HTTP_PROXY"]

    @property
    def log(self) -> str:
        """What its agent and its application said."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def running(self) -> bool:
        """Whether its agent runs."""
        return self._nurse.ended(self._pid) is None

    def inbound(self, client: Any) -> str:
        """``address:port`` where peers reach its sidecar: for callers that are in no mesh. ``client`` asks the API."""
        path = f"/apis/networking.istio.io/v1/namespaces/{self.namespace}/workloadentries/{self.name}"
        spec = client.get(path)["spec"]
        return f"{spec['address']}:{next(iter(spec['ports'].values()))}"

    def http(self) -> httpx2.Client:
        """Calls as this workload: through its sidecar."""
        if self._http is None:
            self._http = httpx2.Client(proxy=self.proxy, trust_env=False, timeout=_PATIENCE)
        return self._http

    def write_logs(self) -> None:
        """Have its Envoy write what it keeps of its access log."""
        place = self._place / "admin.sock"
        if place.exists():
            with socket.socket(socket.AF_UNIX) as admin:
                admin.settimeout(_REOPEN_TIMEOUT)
                admin.connect(str(place))
                admin.sendall(b"POST /reopen_logs HTTP/1.1\r\nhost: envoy\r\nconnection: close\r\n\r\n")
                admin.recv(4096)

    def ask_to_end(self) -> None:
        """SIGTERM to what has a command; the rest has nothing to finish. Envoy dies with its agent."""
        self._nurse.signal(self._pid, signal.SIGTERM if self._commanded else signal.SIGKILL)

    def kill(self) -> None:
        """End it as a crash of its agent would; its Envoy dies with it."""
        self._nurse.signal(self._pid, signal.SIGKILL)
        self._nurse.wait(self._pid, _PATIENCE)

    def stop(self) -> None:
        """End it in good order: it says goodbye and drains."""
        self._nurse.signal(self._pid, signal.SIGTERM)
        self.close()

    def close(self) -> None:
        """Wait for its end, then end its application, if that is the test's."""
        if self._http is not None:
            self._http.close()
        if not self._nurse.wait(self._pid, _PATIENCE):
            self.kill()
        if self._served is not None:
            self._served.close()

    def last_lines(self) -> str:
        """The end of its log."""
        return "\n".join(f"    {line}" for line in self.log.splitlines()[-_LAST_LINES:])

    def _has_told(self) -> bool:
        if not self.running:
            raise UserError(f"{self.name} ended before its application was started:\n{self.last_lines()}")
        return self._told.exists()


def _with_command(config: AgentConfig, command: Sequence[str]) -> AgentConfig:
    import msgspec

    return msgspec.structs.replace(config, command=tuple(command))


def command_of(what: str | Sequence[str]) -> tuple[str, ...]:
    """A command line: a text is one for the shell; ``python`` is this very Python."""
    if isinstance(what, str):
        return ("/bin/sh", "-c", what)
    words = tuple(str(word) for word in what)
    return (sys.executable, *words[1:]) if words and words[0] == "python" else words
