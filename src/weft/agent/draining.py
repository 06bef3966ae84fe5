"""How a workload stops serving without losing a call: callers are told, listeners drain, and only then it ends.

The control plane takes the workload out of its callers' endpoints first. Until they have all heard of it, all is as it
was; then the sidecar tells those that still come: ``Connection: close`` (HTTP/1.1), GOAWAY (HTTP/2 and gRPC). What is
under way is finished, TCP connections live on, and the application is asked to end when nobody is connected any more
and nobody will come, or when the time is up. What the application itself calls is not drained: it may have to call to
finish.
"""

import asyncio
from collections.abc import Awaitable, Callable

from weft.agent.say import say
from weft.agent.stopping import Stopping

_LOOK = 0.1
_QUIET = 2
"""So many looks in a row find nobody connected: a connection may be on its way when there is none."""


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

    async def run(self, life: asyncio.Future[int], told: asyncio.Future[None]) -> None:
        """Return when nobody is connected, the time is up, the application ended or somebody hurries.

        ``told`` is done when callers know; where that takes longer than half of the time, the sidecar tells them
        itself, and goes on to take whoever does not know yet.
        """
        if self._seconds <= 0 or self._stopping.hurried.is_set():
            await self._drain()
            return
        say(f"draining for at most {self._seconds:g} s")
        ends = asyncio.get_running_loop().time() + self._seconds
        if await self._pause(self._seconds / 2, life, told):
            return
        await self._drain()
        quiet = 0
        while asyncio.get_running_loop().time() < ends:
            quiet = quiet + 1 if told.done() and await self._connections() == 0 else 0
            if quiet >= _QUIET or await self._pause(_LOOK, life):
                return

    async def _pause(self, seconds: float, life: asyncio.Future[int], *others: asyncio.Future[None]) -> bool:
        """Wait; whether there is nothing to wait for any more."""
        await self._stopping.within(seconds, life, *others)
        return life.done() or self._stopping.hurried.is_set()
