"""Signals as events: the first asks to stop, the second to hurry; others ask for newer programs.

SIGHUP is left alone: a terminal that is closed sends it, and the application is to end with its terminal.
"""

import asyncio
import contextlib
import signal
from typing import Any

from weft.agent.say import say
from weft.kit.tasks import tasks


class Stopping:
    """``asked`` is set by the first SIGTERM or SIGINT, ``hurried`` by the second; ``upgrade`` by SIGUSR1: another Envoy
    is to take over; ``renew`` by SIGUSR2: another version of the agent."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.hurried = asyncio.Event()
        self.upgrade = asyncio.Event()
        self.renew = asyncio.Event()

    def listen(self) -> None:
        """Take the signals from now on."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.ask)
        loop.add_signal_handler(signal.SIGUSR1, self.upgrade.set)
        loop.add_signal_handler(signal.SIGUSR2, self.renew.set)
        # An agent that became a newer one held them back meanwhile.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2))

    def ask(self) -> None:
        """Ask to stop, or to hurry."""
        (self.hurried if self.asked.is_set() else self.asked).set()

    async def wait(self, seconds: float) -> None:
        """Wait, unless there is a hurry."""
        if seconds > 0 and not self.hurried.is_set():
            say(f"draining for {seconds:g} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.hurried.wait(), seconds)

    async def within(self, seconds: float, *others: asyncio.Future[Any]) -> None:
        """Wait so long, for a hurry, or for something else."""
        async with tasks() as group:
            awaited: set[asyncio.Future[Any]] = {group.start(self.hurried.wait(), "hurry"), *others}
            await asyncio.wait(awaited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
