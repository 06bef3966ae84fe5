"""Workloads of a test's mesh: an agent with its Envoy beside each, as ``weft run`` would start them."""

import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx2

from weft.agent.bootstrap import UNWRITTEN
from weft.agent.config import AgentConfig, write_config
from weft.kit.errors import UserError
from weft.testing.applications import Served
from weft.testing.nurse import Nurse, until

_LAST_LINES = 15
_PATIENCE = 40.0
_ADMIN_TIMEOUT = 2.0
_UNLOGGED = f"/stats?filter=^(http%5C..*downstream_rq_active|{UNWRITTEN})$"
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
        """Have its Envoy begin to write what it keeps of its access log."""
        self._asked("POST", "/reopen_logs")

    def unlogged(self) -> tuple[int, int]:
        """How many requests are under way, and how many bytes of its access log its Envoy has not written yet."""
        lines = [line.rpartition(": ") for line in self._asked("GET", _UNLOGGED).splitlines()]
        counts = [(name, int(count)) for name, _, count in lines if count.strip().isdecimal()]
        under_way = sum(count for name, count in counts if name.endswith("_active") and ".admin." not in name)
        return under_way, sum(count for name, count in counts if name == UNWRITTEN)

    def _asked(self, method: str, path: str) -> str:
        """What its Envoy's admin interface says, "" where there is none."""
        place = self._place / "admin.sock"
        if not place.exists():
            return ""
        with closing(HTTPConnection("envoy")) as admin, socket.socket(socket.AF_UNIX) as admin.sock:
            admin.sock.settimeout(_ADMIN_TIMEOUT)
            admin.sock.connect(str(place))
            admin.request(method, path)
            return admin.getresponse().read().decode(errors="replace")

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
