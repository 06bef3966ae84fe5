"""Capture in the life of one workload: made ready, put in force before the application starts, watched, undone."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from weft.agent.capture import cgroup, ledger
from weft.agent.capture.annotations import annotated
from weft.agent.capture.config import CaptureConfig
from weft.agent.capture.guardian import Guarded, Guardian, adopted_guardian, script, start_guardian
from weft.agent.capture.host import network_namespace, started
from weft.agent.capture.mechanism import OWNED, first_line, install, mechanism_for, present
from weft.agent.capture.nft import nft_text
from weft.agent.capture.rules import ByCgroup, Rules, Who, rules_of
from weft.agent.capture.scope import mark_of
from weft.agent.capture.settling import settle
from weft.agent.say import say
from weft.kit.clock import Clock
from weft.kit.errors import UserError
from weft.kit.files import write_whole
from weft.kit.value import Value

_POLL = 0.02
_ATTEMPTS = 250


class Places(Value):
    """Ports of the sidecar to which connections are turned (``dns`` 0: none), and those of the application."""

    outbound: int
    inbound: int
    own_ports: tuple[int, ...] = ()
    dns: int = 0

    @property
    def mark(self) -> int:
        """What the sidecar's connections to the application are marked with."""
        return mark_of(self.inbound)


class Capturing:
    """The capture of one workload, by rules on this host. ``patience``: seconds for an application without an agent."""

    def __init__(
        self,
        workload: str,
        config: CaptureConfig,
        who: Who,
        places: Places,
        directory: Path,
        patience: float,
        clock: Clock,
    ) -> None:
        self._workload = workload
        self._config = config
        self._places = places
        self._rules = rules_for(workload, config, who, places)
        self._way = ""
        self._file = directory / "capture.nft"
        self._log = directory / "capture.log"
        self._patience = patience
        self._clock = clock
        self._guardian: Guardian | None = None

    def follow(self, annotations: Mapping[str, str]) -> None:
        """Leave out, and take in, what annotations say besides the command line. Raises ``UserError``."""
        config = annotated(self._config, annotations)
        self._rules = rules_for(self._workload, config, self._rules.who, self._places)

    async def prepare(self) -> None:
        """Make what the application is told by, and find who holds the rules. Raises ``UserError``."""
        rules = self._rules
        await settle(rules)
        if isinstance(rules.who, ByCgroup):
            cgroup.make(rules.who)
        try:
            self._way = await mechanism_for(rules, self._config.mechanism)
        except BaseException:
            cgroup.remove(rules.who)
            raise

    async def install(self) -> None:
        """Put the rules in force; when this returns, the application may start. Raises ``UserError``.

        Rules that last need no guardian: nobody undoes them.
        """
        rules = self._rules
        if rules.lasting:
            ledger.write(self._entry(None))
            await install(self._way, rules)
            return
        write_whole(self._file, nft_text(rules, owned=self._way == OWNED).encode())
        path = ledger.write(self._entry(None))
        text = script(rules, self._way, self._file, path, self._patience)
        self._guardian = await start_guardian(text, self._way, self._log)
        ledger.write(self._entry(self._guardian))
        await install(self._way, rules)
        await self._in_force()

    def adopt(self, guarded: Guarded) -> None:
        """Go on with rules that an earlier version of this agent put in. Raises ``UserError``."""
        self._way = guarded.way
        self._guardian = adopted_guardian(guarded)

    @property
    def guarded(self) -> Guarded | None:
        """What a newer version of this agent goes on with, once there is something."""
        return self._guardian.left(self._way) if self._guardian else None

    async def watch(self) -> None:
        """For as long as there is a guardian: put the rules in again when somebody ended it."""
        while self._guardian is not None:
            await self._guardian.wait()
            say("the guardian of the capture was ended; the rules are put in again")
            await self._guardian.kill()
            await self._taken_down()
            await self.install()

    async def remove(self) -> None:
        """Undo everything that does not last; what still runs in the application's cgroup is ended first."""
        if self._guardian is None:
            return cgroup.remove(self._rules.who)
        guardian, self._guardian = self._guardian, None
        return await guardian.finish()

    def admit(self) -> None:
        """In the application's process, before its program: become one whose connections are captured."""
        if isinstance(self._rules.who, ByCgroup):
            cgroup.enter(self._rules.who)

    def _entry(self, guardian: Guardian | None) -> ledger.Entry:
        return ledger.Entry(
            rules=self._rules,
            mechanism=self._way,
            pid=os.getpid(),
            started=started(os.getpid()),
            guardian=guardian.pid if guardian else 0,
            guardian_started=guardian.started if guardian else 0,
            namespace=network_namespace(),
            at=self._clock.now(),
        )

    async def _taken_down(self) -> None:
        """Wait until the kernel has deleted what an ended process owned; other rules stay until others come."""
        while self._way == OWNED and await present(self._way, self._rules):  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(_POLL)

    async def _in_force(self) -> None:
        """Wait until they are; what is owned is put in by the guardian's own process."""
        for _ in range(_ATTEMPTS):
            if await present(self._way, self._rules):
                return
            await asyncio.sleep(_POLL)
        said = first_line(self._log.read_text(errors="replace"))
        raise UserError(f"the rules are not in force: {said}", help="see: weft capture plan")


def rules_for(workload: str, config: CaptureConfig, who: Who, places: Places) -> Rules:
    """The rules that turn a workload's connections to its sidecar."""
    at = (places.outbound, places.inbound, places.mark)
    return rules_of(workload, config, who, *at, places.own_ports, places.dns)
