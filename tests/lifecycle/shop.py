"""The demo shop with two or more instances of everything, a service of streams, and a workload that calls them all."""

import json
import os
import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from weft.demo.mesh import DemoMesh
from weft.demo.processes import Process, free_port, until
from weft.demo.shop import SHOP, Member

HERE = Path(__file__).parent
_ROOTS = os.pathsep.join([str(HERE.parents[1]), *sys.path])
ECHO_PORT = 50060
SECONDS = 60.0
PATIENCE = 20
"""Seconds that an application has for a check: on a machine that is too busy it is slow, and not ill."""
DRAIN_SECONDS = 60
"""As long as a conversation over TCP may take on a machine that is too busy; a drain is over when all are."""
_SECOND = tuple(member for member in SHOP if member.name.endswith("-1") and member.service != "ratings")
MEMBERS = (
    *SHOP,
    *(replace(one, name=f"{one.service}-2") for one in _SECOND),
    *(
        Member(name=f"echo-{number}", service="echo", script="echo.py", port=ECHO_PORT, protocol="grpc", health="grpc")
        for number in (1, 2)
    ),
)  # fmt: skip
LOAD = "load-1"
_PAGES = {"web": "web:9080/whoami", "reviews": "reviews:9080/reviews/1", "ratings": "ratings:9080/ratings/1"}
_PAGES["catalog"] = "catalog:9080/whoami"
_CALLED = (("CATALOG_ADDR", "catalog:9080"), ("ECHO_ADDR", f"echo:{ECHO_PORT}"), ("LEDGER_ADDR", "ledger:7000"))


class RollingShop(DemoMesh):
    """The shop under load; ``restart`` makes new processes of workloads under their old names."""

    def __init__(self, directory: Path, members: Iterable[Member] = MEMBERS) -> None:
        super().__init__(directory)
        self.members = {member.name: member for member in members}
        self.app_ports = {name: free_port() for name in self.members}
        self.tally = directory / "tally.json"
        self._tokens: dict[str, Path] = {}

    def start(self, *names: str) -> None:
        """Start workloads, each with its own token, and wait until they are registered."""
        said_before: dict[str, int] = {}
        for name in names:
            member = self.members[name]
            if name not in self._tokens:
                self._tokens[name] = self._token_file(member)
            log = self.directory / f"{name}.log"
            said_before[name] = log.stat().st_size if log.exists() else 0
            self.workloads[name] = self._start(name, self._command(member))
        alive = [self.workloads[name] for name in names]
        until(
            lambda: all(self._registered(name, said_before[name]) for name in names),
            f"not all of {', '.join(names)} are registered", SECONDS, alive,
        )  # fmt: skip

    def load(self, rate: float, protocols: Collection[str]) -> None:
        """Start the caller, and wait until its calls are answered."""
        caller = Member(name=LOAD, service="load", script="", port=0, health="", upstreams=_CALLED)
        command = (
            "/usr/bin/env",
            f"PYTHONPATH={_ROOTS}",
            f"PAGES={self._pages()}",
            sys.executable,
            "-m",
            "tests.lifecycle.load",
            str(self.tally),
            str(rate),
            *protocols,
        )
        words = self._run_command(caller, self._token_file(caller))
        self.workloads[LOAD] = self._start(LOAD, [*words[: words.index("--") + 1], *command])
        wanted = len(protocols)
        until(lambda: len(self.counted()["answered"]) == wanted, "not all are answered", SECONDS, self._alive())

    def _pages(self) -> str:
        services = {member.service for member in self.members.values()}
        return " ".join(page for service, page in _PAGES.items() if service in services)

    def counted(self) -> dict[str, Any]:
        """What became of the calls until now."""
        empty = {"calls": {}, "answered": {}, "lost": []}
        content: dict[str, Any] = json.loads(self.tally.read_text()) if self.tally.exists() else empty
        return content

    def stop_load(self) -> dict[str, Any]:
        """End the caller when all its calls are answered; what became of them."""
        self.workloads[LOAD].ask_to_end()
        self.workloads.pop(LOAD).wait(2 * SECONDS)
        return self.counted()

    def restart(self, *names: str) -> None:
        """End workloads as their users do, at once, and start them again when they have ended."""
        ended = [self.workloads.pop(name) for name in names]
        for process in ended:
            process.ask_to_end()
        for process in ended:
            code = process.wait(DRAIN_SECONDS + SECONDS)
            assert code == 0, f"{process.name} ended with {code}:\n{process.last_lines()}"
        self.start(*names)

    def waves(self, size: int) -> tuple[tuple[str, ...], ...]:
        """Every workload once, so many at a time, and of each service one at a time."""
        by_service: dict[str, list[str]] = {}
        for member in self.members.values():
            by_service.setdefault(member.service, []).append(member.name)
        most = max(len(names) for names in by_service.values())
        rows = [[names[at] for names in by_service.values() if at < len(names)] for at in range(most)]
        return tuple(tuple(row[start : start + size]) for row in rows for start in range(0, len(row), size))

    def _command(self, member: Member) -> list[str]:
        drain = f"--drain-seconds={DRAIN_SECONDS}"
        words = [drain if word.startswith("--drain-seconds") else word for word in self._words(member)]
        if member.health:
            words.insert(words.index("--"), f"--health-timeout={PATIENCE}s")
        if member.service != "echo":
            return words
        return [*words[: words.index("--") + 1], sys.executable, str(HERE / member.script)]

    def _words(self, member: Member) -> list[str]:
        return self._run_command(member, self._tokens[member.name])

    def _registered(self, name: str, since: int) -> bool:
        return f"{name} is registered for" in self.workloads[name].log.read_text(errors="replace")[since:]

    def _alive(self) -> list[Process]:
        return list(self.workloads.values())
