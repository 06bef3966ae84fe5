"""How a workload stops serving without losing a call: callers are told, listeners drain, and only then it ends.

The control plane takes the workload out of its callers' endpoints first. While they hear of it, all is as it was;
then the sidecar tells those that still come: ``Connection: close`` (HTTP/1.1), GOAWAY (HTTP/2 and gRPC). What is under
way is finished, TCP connections live on, and the application is asked to end when nobody is connected any more, or when
the time is up. What the application itself calls is not drained: it may have to call to finish.
"""

import asyncio
from collections.abc import Awaitable, Callable

from weft.agent.say import say
from weft.agent.stopping import Stopping

TOLD_SECONDS = 1.0
"""How long callers get to hear of it: twice what the slowest of a hundred endpoint changes takes."""
_LOOK = 0.1


class Draining:
    """One drain of at most ``seconds``. ``drain`` tells the sidecar, ``connections`` counts its callers."""

    def __init__(
        self,
        drain: Callable[[], Awaitable[None]],
        connections: Callable[[], Awaitable[int]],
        stopping: Stopping,
        seconds: float,
    ) -> None:
        self._drain = drain
        self._connections = connections
        self._stopping = stopping
        self._seconds = seconds

    async def run(self, life: asyncio.Future[int]) -> None:
        """Return when nobody is connected, the time is up, the application ended or somebody hurries."""
        if self._seconds <= 0 or self._stopping.hurried.is_set():
            await self._drain()
            return
        say(f"draining for at most {self._seconds:g} s")
        ends = asyncio.get_running_loop().time() + self._seconds
        told = min(TOLD_SECONDS, self._seconds / 2)
        if await self._pause(told, life):
            return
        await self._drain()
        while asyncio.get_running_loop().time() < ends:
            if await self._connections() == 0 or await self._pause(_LOOK, life):
                return

    async def _pause(self, seconds: float, life: asyncio.Future[int]) -> bool:
        """Wait; whether there is nothing to wait for any more."""
        await self._stopping.within(seconds, life)
        return life.done() or self._stopping.hurried.is_set()
