"""Signals as events: the first asks to stop, the second to hurry."""

import asyncio
import contextlib
import signal
from typing import Any

from weft.agent.say import say


class Stopping:
    """``asked`` is set by the first SIGTERM or SIGINT, ``hurried`` by the second."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.hurried = asyncio.Event()

    def listen(self) -> None:
        """Take the signals from now on."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.ask)

    def ask(self) -> None:
        """Ask to stop, or to hurry."""
        (self.hurried if self.asked.is_set() else self.asked).set()

    async def wait(self, seconds: float) -> None:
        """Wait, unless there is a hurry."""
        if seconds > 0 and not self.hurried.is_set():
            say(f"draining for {seconds:g} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.hurried.wait(), seconds)

    async def within(self, seconds: float, other: asyncio.Future[int]) -> None:
        """Wait so long, for a hurry, or for something else."""
        hurry = asyncio.ensure_future(self.hurried.wait())
        awaited: set[asyncio.Future[Any]] = {hurry, other}
        try:
            await asyncio.wait(awaited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hurry.cancel()
