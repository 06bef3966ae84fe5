"""What the agent thinks of its application: well or not, after enough answers of one kind."""

import asyncio
from collections.abc import Awaitable, Callable

from weft.agent.config import Probe
from weft.agent.damping import Damping
from weft.agent.say import say
from weft.kit.clock import SystemClock

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

    def __init__(self, probe: Probe, ask: Ask, damping: Damping | None = None) -> None:
        self._probe = probe
        self._ask = ask
        self._damping = damping or Damping(SystemClock(), 0.0)
        self._held = False
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
        """Whether the application is well, and that is believed."""
        return self._verdict.well and not self._held

    @property
    def flapping(self) -> bool:
        """Whether it is well and not believed, because it was ill too often of late."""
        return self._verdict.well and self._held

    @property
    def damped(self) -> tuple[int, float]:
        """While it flaps, how often it fell ill of late, and when it is believed again in seconds since the epoch."""
        return (self._damping.times, self._damping.believed_at) if self.flapping else (0, 0.0)

    async def watch(self) -> None:
        """Ask at every interval, more often until the first good answer."""
        await asyncio.sleep(self._probe.delay)
        while True:
            if self._verdict.hear(await self._ask()):
                self._turned()
            pause = self._probe.interval if self._was_well.is_set() else _EAGER
            await asyncio.sleep(min(pause, self._damping.left or pause))
            if self._held and not self._damping.left:
                self._held = False
                self._tell()

    def _turned(self) -> None:
        """The application is ill or well, other than before."""
        if not self._verdict.well:
            told, self._held = self._held, False
            self._damping.fell_ill()
            if not told:
                self._tell()
        elif seconds := self._damping.recovered():
            self._held = True
            say(f"the application is well again, which is believed in {seconds:g} s: it was ill too often of late")
            self._changed.set()
        else:
            self._tell()

    def ended(self) -> None:
        """The application has ended: it is not well, without asking; who ended it says so."""
        if self._verdict.well:
            self._verdict.well = self._held = False
            self._damping.fell_ill()
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
