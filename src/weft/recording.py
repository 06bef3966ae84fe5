"""Keeps the windows going: a step every 5 s, a write every minute, and the file closed in good order."""

import asyncio
from importlib.metadata import version
from pathlib import Path

from weft.kit.clock import Clock
from weft.observe.forwarding import ForwardedApi
from weft.observe.prometheus import PrometheusApi
from weft.observe.windows.packing import MINUTE, STEP
from weft.observe.windows.store import Windows


class Recording:
    """``windows`` is what sinks count into and what questions are answered from."""

    def __init__(self, path: Path | None, clock: Clock) -> None:
        self.windows = Windows(path)
        self._clock = clock

    async def run(self) -> None:
        """Until cancelled; what waits for the disk is done on a thread."""
        written = self._now() // MINUTE
        while True:
            await asyncio.sleep((STEP - self._now() % STEP) / 1000)
            self.windows.tick(self._now())
            if self._now() // MINUTE > written:
                written = self._now() // MINUTE
                await asyncio.to_thread(self.windows.flush)

    async def close(self) -> None:
        """End the open step and write everything; nothing may be counted any more."""
        self.windows.tick(self._now() + STEP)
        await asyncio.to_thread(self.windows.close)

    def _now(self) -> int:
        return round(self._clock.now() * 1000)


def metrics_of(address: str, windows: Windows, clock: Clock) -> PrometheusApi | ForwardedApi:
    """Who answers queries: the Prometheus at an address, or without one the windows."""
    return ForwardedApi(address) if address else PrometheusApi(windows, clock, version("weft"))
