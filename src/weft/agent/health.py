"""What the agent thinks of its application: well or not, after enough answers of one kind."""

import asyncio
from collections.abc import Awaitable, Callable

from weft.agent.config import Probe
from weft.agent.say import say

_EAGER = 0.1

Ask = Callable[[], Awaitable[bool]]


class Verdict:
    """Counts answers: ``healthy_after`` good ones in a row make well, ``unhealthy_after`` bad ones ill."""

    def __init__(self, probe: Probe) -> None:
        self.well = False
        self._probe = probe
        self._against = 0

    def hear(self, good: bool) -> bool:
        """Take an answer; whether the verdict changed."""
        if good == self.well:
            self._against = 0
            return False
        self._against += 1
        if self._against < (self._probe.healthy_after if good else self._probe.unhealthy_after):
            return False
        self.well, self._against = good, 0
        return True


class Health:
    """Asks for ever and tells who waits."""

    def __init__(self, probe: Probe, ask: Ask) -> None:
        self._probe = probe
        self._ask = ask
        self._verdict = Verdict(probe)
        self._changed = asyncio.Event()
        self._was_well = asyncio.Event()

    def was_well(self) -> None:
        """Begin with an application that is known to be well."""
        self._verdict.well = True
        self._was_well.set()

    @property
    def probe(self) -> Probe:
        """How the application is asked."""
        return self._probe

    def use(self, probe: Probe) -> None:
        """Ask in another way; before ``watch``."""
        self._probe = probe
        self._verdict = Verdict(probe)

    @property
    def well(self) -> bool:
        """Whether the application is well."""
        return self._verdict.well

    async def watch(self) -> None:
        """Ask at every interval, more often until the first good answer."""
        await asyncio.sleep(self._probe.delay)
        while True:
            if self._verdict.hear(await self._ask()):
                self._tell()
            await asyncio.sleep(self._probe.interval if self._was_well.is_set() else _EAGER)

    def ended(self) -> None:
        """The application has ended: it is not well, without asking; who ended it says so."""
        if self._verdict.well:
            self._verdict.well = False
            self._changed.set()

    async def first_well(self) -> None:
        """Wait until the application was well once."""
        await self._was_well.wait()

    async def changed(self, timeout: float) -> None:
        """Wait for a change, no longer than ``timeout`` seconds."""
        try:
            await asyncio.wait_for(self._changed.wait(), timeout)
        except TimeoutError:
            return
        self._changed.clear()

    def _tell(self) -> None:
        if self._was_well.is_set():
            say("the application is well again" if self.well else "the application is not well")
        self._changed.set()
        if self.well:
            self._was_well.set()
