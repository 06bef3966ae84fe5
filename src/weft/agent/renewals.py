"""Newer programs while everything runs: another Envoy at SIGUSR1, another version of the agent at SIGUSR2."""

from collections.abc import Callable
from pathlib import Path

from weft.agent import notify
from weft.agent.heritage import Heritage, become, refusal, write_heritage
from weft.agent.say import say
from weft.agent.sidecar import Sidecar
from weft.agent.stopping import Stopping
from weft.kit.tasks import tasks


class Renewals:
    """Does what signals ask for, one after the other. ``heritage`` gives ``None`` as long as nothing can be handed
    over; ``file`` is the agent's configuration."""

    def __init__(
        self,
        proxy: Sidecar,
        listening: frozenset[str],
        heritage: Callable[[], Heritage | None],
        directory: Path,
        file: Path,
    ) -> None:
        self._proxy = proxy
        self._listening = listening
        self._heritage = heritage
        self._left = directory / "heritage.json"
        self._file = file

    async def run(self, stopping: Stopping) -> None:
        """Wait for signals, for ever."""
        async with tasks() as group:
            group.start(self._upgrades(stopping), "another envoy")
            while True:
                await stopping.renew.wait()
                stopping.renew.clear()
                await self._renew(stopping)

    async def _upgrades(self, stopping: Stopping) -> None:
        while True:
            await stopping.upgrade.wait()
            stopping.upgrade.clear()
            if self._proxy.status.said.state == "ready":
                notify.reloading("another envoy takes over")
                await self._proxy.upgrade(self._listening)
                notify.reloaded()
            else:
                self._proxy.say(problem="it is not ready yet")

    async def _renew(self, stopping: Stopping) -> None:
        """Become the version that is installed now, if that can go on."""
        write_heritage(self._proxy.heritage(), self._left)
        if problem := await refusal(self._file, self._left):
            say(f"the agent stays as it is, the one that is installed now does not start: {problem}")
            self._proxy.say(problem=problem)
            return
        if stopping.asked.is_set() or (heritage := self._heritage()) is None:
            problem = "it is not ready, or about to end"
            say(f"the agent stays as it is: {problem}")
            self._proxy.say(problem=problem)
            return
        say("the agent becomes the version that is installed now")
        notify.reloading("the agent becomes the version that is installed now")
        write_heritage(heritage, self._left)
        become(self._file, heritage, self._left)
