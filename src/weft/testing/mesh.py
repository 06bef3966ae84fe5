"""A mesh of a test: a control plane, what runs in it, and questions about what happened."""

import functools
import shutil
import signal
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from weft.agent.config import AgentConfig, Probe, parse_port, parse_probe, parse_upstream
from weft.cli.apply import APPLY
from weft.cli.client import Client, Refused
from weft.cli.connection import Connection, Running, running
from weft.cli.findings import finding_text
from weft.cli.kinds import Kinds
from weft.cli.located import located
from weft.cli.manifests import Source, parsed
from weft.kit.errors import UserError
from weft.kit.state_dir import StateDir
from weft.kit.value import labels_of
from weft.testing.applications import Served
from weft.testing.calls import LOG, MESH_CONFIG, Call, calls_in, mesh_config_of
from weft.testing.nurse import Nurse, until
from weft.testing.workloads import Workload, command_of

_PATIENCE = 40.0
_CALM = 0.06
"""Longer than the control plane waits for more changes."""
_EVERY = 0.03
_LOGGED = 2.0
_ENTRIES = "/apis/networking.istio.io/v1/workloadentries"


class Refusal(AssertionError):
    """What was applied is refused, with the reasons."""


class Mesh:
    """A running mesh; ``close`` ends everything in it and forgets it."""

    def __init__(self, directory: Path, planes: Nurse, agents: Nurse, mesh_config: Mapping[str, Any] | None = None):
        self.directory = directory
        self.workloads: list[Workload] = []
        self.namespace = "default"
        self._agents = agents
        self._planes = planes
        self._state = StateDir(root=directory / "state")
        self._log = directory / LOG
        self._revision = 0
        self._known = 0
        self._names: Counter[str] = Counter()
        self._callers: dict[str, Workload] = {}
        self._state.root.mkdir(parents=True, mode=0o700)
        config = {**mesh_config_of(self._log), **(mesh_config or {})}
        (self._state.root / MESH_CONFIG).write_bytes(msgspec.json.encode(config))
        self._pid = planes.start(self._state.root, directory / "control-plane.log")

    @functools.cached_property
    def addresses(self) -> Running:
        """Where the control plane is reached."""
        until(self._is_up, "the control plane did not start", _PATIENCE)
        return running(self._state)

    @functools.cached_property
    def api(self) -> Client:
        """The control plane's API, with all rights: ``mesh.api.get("/weft/v1/proxies")``."""
        return Client(
            Connection(address=self.addresses.api, token_file=self._state.admin_token, ca_file=self._state.bundle)
        )

    @property
    def environment(self) -> Mapping[str, str]:
        """What makes the commands of ``weft`` talk to this mesh."""
        return {"WEFT_STATE": str(self._state.root), "WEFT_ADDR": self.addresses.api}

    def run(
        self,
        service: str,
        what: Any,
        *,
        port: int | str | None = 80,
        version: str = "",
        namespace: str = "",
        protocol: str = "http",
        account: str = "",
        upstreams: Sequence[str] = (),
        health: str = "",
        labels: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> Workload:
        """Start a workload of a service and return at once; the next call through the mesh waits for it.

        ``what`` is an ASGI or WSGI application or a function, which this process serves, or a command: words, or a text
        for the shell; a command finds its port in ``PORT``. The other words are those of ``weft run``, ``settings`` the
        rest of an ``AgentConfig``; ``port=None`` is a workload that nobody calls.
        """
        served: Served | None = None
        command: tuple[str, ...] = ()
        if isinstance(what, str | list | tuple):
            command = command_of(what)
        elif what is not None:
            served = Served(what, lambda: workload.environment)
        notation = "" if port is None else f"{port}:{served.port}" if served else f"{port}:auto"
        name = self._name(service, version)
        namespace = namespace or self.namespace
        config = AgentConfig(
            service=service,
            name=name,
            command=command,
            state_dir=self._state.root,
            version=version,
            namespace=namespace,
            ports=(parse_port(notation, protocol),) if notation else (),
            upstreams=tuple(parse_upstream(one) for one in upstreams),
            token_file=self._token(name, namespace, account or service),
            join_url=self.addresses.agents,
            ca_file=self._state.bundle,
            probe=parse_probe(health) if health else _QUICK if notation else None,
            labels=labels_of(labels or {}),
            **{"drain_seconds": 0.0, "stop_seconds": 2.0, **settings},
        )
        workload = Workload(config, self.directory, self._agents, served)
        self.workloads.append(workload)
        return workload

    def client(self, service: str = "client", *, namespace: str = "") -> "Caller":
        """Who calls as ``service``, through a sidecar of its own; the same one each time."""
        key = f"{namespace or self.namespace}/{service}"
        if key not in self._callers:
            self._callers[key] = self.run(service, None, port=None, namespace=namespace)
        return Caller(self, self._callers[key])

    def apply(self, what: str | Path, *, namespace: str = "") -> None:
        """Create or change documents, a text of YAML or a file, and wait until all sidecars have them.

        Raises ``Refusal`` with what ``weft apply`` would say.
        """
        source = Source(name=str(what), text=what.read_text()) if isinstance(what, Path) else _source(what)
        for document in located(tuple(parsed(source)), Kinds(self.api), namespace or self.namespace):
            content = msgspec.json.encode(document.content)
            params = {"fieldManager": "weft", "force": "true"}
            try:
                answer = self.api.ask("PATCH", document.path, content=content, headers=APPLY, params=params)
            except Refused as refused:
                reasons = [finding_text(one, document.manifest) for one in refused.findings]
                raise Refusal("\n".join(reasons) or refused.message) from None
            self._revision = max(self._revision, int(answer.json()["metadata"].get("resourceVersion", "0")))
        self.settle()

    def delete(self, kind: str, name: str, *, namespace: str = "") -> None:
        """Delete a document, by the words of ``weft delete``."""
        served = Kinds(self.api).named(kind)
        self.api.ask("DELETE", served.path(namespace or self.namespace, name))
        self.settle()

    def settle(self, seconds: float = _PATIENCE) -> None:
        """Wait until every workload is registered and every sidecar uses what it should."""
        until(self._all_registered, "not every workload came", seconds, _EVERY)
        self.api.get("/weft/v1/findings", revision=str(self._revision))
        end = time.monotonic() + seconds
        calm_since = None
        while calm_since is None or time.monotonic() - calm_since < _CALM:
            if not self._all_synced():
                calm_since = None
                if time.monotonic() > end:
                    raise TimeoutError(f"not every sidecar is in sync after {seconds:g} s:\n{self.troubles()}")
            elif calm_since is None:
                calm_since = time.monotonic()
            time.sleep(_EVERY)
        self._known = len(self.workloads)

    def wait_for(self, condition: Callable[[], Any], what: str = "", seconds: float = 10.0) -> Any:
        """The first true value of a condition, asked again and again; an ``AssertionError`` in it is one that is not
        there yet. Raises ``TimeoutError`` after ``seconds``."""
        last: list[AssertionError] = []

        def asked() -> Any:
            try:
                return condition()
            except AssertionError as not_yet:
                last[:] = [not_yet]
                return None

        try:
            return until(asked, what or "what was waited for did not come", seconds, 0.02)
        except TimeoutError as late:
            raise (TimeoutError(f"{late}: {last[0]}") if last else late) from None

    def calls(self, to: str = "", *, source: str = "", side: str = "client") -> list[Call]:
        """What happened so far, by the sidecars' logs, oldest first; each call once, as its caller's sidecar saw it.

        ``side="server"`` is what callees' sidecars saw, with callers that have none; ``side=""`` is both.
        """
        self._all_logged()
        return [
            call
            for call in sorted(calls_in(self._log), key=lambda call: call.at)
            if to in ("", call.destination) and source in ("", call.source) and side in ("", call.side)
        ]

    def _all_logged(self) -> None:
        """Wait until what has been answered is written; what is under way for long is not waited for."""
        running = [workload for workload in self.workloads if workload.running]
        nothing, before, still = [(0, 0)] * len(running), list[tuple[int, int]](), 0
        end = time.monotonic() + _LOGGED
        while still < (3 if before == nothing else 10) and time.monotonic() < end:
            for workload in running:
                workload.write_logs()
            now = [workload.unlogged() for workload in running]
            written = not any(kept for _, kept in now)
            before, still = now, still + 1 if written and now == before else 0
            time.sleep(0.01)

    def troubles(self) -> str:
        """The last lines of everybody's logs."""
        said = [f"{one.name} said last:\n{one.last_lines()}" for one in self.workloads]
        plane = self.directory / "control-plane.log"
        lines = plane.read_text(errors="replace").splitlines()[-15:] if plane.exists() else []
        return "\n".join([*said, "the control plane said last:", *(f"    {line}" for line in lines)])

    def ready(self) -> None:
        """Wait for what was started since the last call."""
        if self._known != len(self.workloads):
            self.settle()

    def remove(self, workload: Workload) -> None:
        """Stop a workload in good order."""
        self.workloads.remove(workload)
        workload.stop()
        self._known = -1

    def close(self) -> None:
        """End everything. Commands are told to end; for the rest there is nobody left to say goodbye to."""
        for workload in self.workloads:
            workload.ask_to_end()
        for workload in self.workloads:
            workload.close()
        self._planes.signal(self._pid, signal.SIGKILL)
        self._planes.wait(self._pid, _PATIENCE)
        if "api" in self.__dict__:
            self.api.__exit__()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _name(self, service: str, version: str) -> str:
        base = "-".join(part for part in (service, version) if part)
        self._names[base] += 1
        return f"{base}-{self._names[base]}"

    def _token(self, name: str, namespace: str, account: str) -> Path:
        file = self.directory / f"{name}.token"
        said = {"namespace": namespace, "serviceAccount": account, "ttlSeconds": 600.0, "host": ""}
        file.touch(mode=0o600)
        file.write_text(str(self.api.post("/weft/v1/tokens", said)["token"]))
        return file

    def _is_up(self) -> bool:
        if (code := self._planes.ended(self._pid)) is not None:
            raise UserError(f"the control plane ended with {code}:\n{self.troubles()}")
        return self._state.ports.exists()

    def _all_registered(self) -> bool:
        for workload in self.workloads:
            if not workload.running:
                raise UserError(f"{workload.name} has ended:\n{workload.last_lines()}")
        wanted = {(one.namespace, one.name) for one in self.workloads}
        items = self.api.get(_ENTRIES)["items"]
        return wanted <= {(one["metadata"]["namespace"], one["metadata"]["name"]) for one in items}

    def _all_synced(self) -> bool:
        states = {one["name"]: one["state"] for one in self.api.get("/weft/v1/proxies")["items"]}
        return all(states.get(f"{one.name}.{one.namespace}") == "SYNCED" for one in self.workloads)


class Caller:
    """Calls as one service, through its sidecar; waits first for what was started. Answers are httpx's."""

    def __init__(self, mesh: Mesh, workload: Workload) -> None:
        self.workload = workload
        self._mesh = mesh

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment of a program that is this caller."""
        return self.workload.environment

    def request(self, method: str, url: str, **options: Any) -> httpx2.Response:
        """Call ``reviews:9080/path`` or a whole URL."""
        self._mesh.ready()
        return self.workload.http().request(method, url if "://" in url else f"http://{url}", **options)

    get = functools.partialmethod(request, "GET")
    head = functools.partialmethod(request, "HEAD")
    post = functools.partialmethod(request, "POST")
    put = functools.partialmethod(request, "PUT")
    patch = functools.partialmethod(request, "PATCH")
    delete = functools.partialmethod(request, "DELETE")


_QUICK = Probe(kind=parse_probe("tcp").kind, interval=0.1)
"""A test's application is there at once."""


def _source(text: str) -> Source:
    return Source(name="applied", text=textwrap.dedent(text))
