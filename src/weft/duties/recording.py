"""Keeps what happened: windows with a step every 5 s, traces, and their files closed in good order."""

import asyncio
from importlib.metadata import version

from weft.kit.clock import Clock
from weft.kit.state_dir import StateDir
from weft.kit.tasks import Tasks
from weft.observe.aside.pool import Aside
from weft.observe.elsewhere import Elsewhere, History
from weft.observe.forwarding import ForwardedApi
from weft.observe.own_history import OwnHistory, Together
from weft.observe.prometheus import PrometheusApi
from weft.observe.traces.forwarding import span_shipper
from weft.observe.traces.store import Traces
from weft.observe.traces.tracing import Tracing
from weft.observe.windows.packing import MINUTE, STEP
from weft.observe.windows.store import Windows

_FLUSH = 1.0


class Recording:
    """``windows`` is what sinks count into and queries are answered from; ``traces`` what ``tracing`` takes spans into.

    ``shippers`` pass spans on to other backends.
    """

    def __init__(self, state: StateDir, clock: Clock, traces_to: tuple[str, ...] = ()) -> None:
        """Raises ``UserError`` for backends that cannot be used."""
        self.windows = Windows(state.windows)
        self.traces = Traces(state.traces)
        self.shippers = tuple(span_shipper(address) for address in traces_to)
        self.tracing = Tracing(self.traces, tuple(one.ship for one in self.shippers))
        self._clock = clock

    def start(self, group: Tasks) -> None:
        """Begin to keep."""
        group.start(self._count(), "windows")
        group.start(self._trace(), "traces")
        for shipper in self.shippers:
            group.start(shipper.run(), f"spans to {shipper.name}")

    async def close(self) -> None:
        """End the open step and write everything; nothing may be counted any more."""
        self.windows.tick(self._now() + STEP)
        await asyncio.to_thread(self.windows.close)
        await asyncio.to_thread(self.traces.close)

    async def _count(self) -> None:
        """Until cancelled; what waits for the disk is done on a thread."""
        written = self._now() // MINUTE
        while True:
            await asyncio.sleep((STEP - self._now() % STEP) / 1000)
            self.windows.tick(self._now())
            if self._now() // MINUTE > written:
                written = self._now() // MINUTE
                await asyncio.to_thread(self.windows.flush)

    async def _trace(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH)
            if self.traces.waiting:
                await asyncio.to_thread(self.traces.flush)

    def _now(self) -> int:
        return round(self._clock.now() * 1000)


def metrics_of(address: str, windows: Windows, own: OwnHistory, clock: Clock) -> PrometheusApi | ForwardedApi:
    """Who answers queries: the Prometheus at an address, or without one what is kept here."""
    if address:
        return ForwardedApi(address)
    aside = Aside(windows.path, windows, own) if windows.path else None
    return PrometheusApi(Together(windows, own), clock, version("weft"), aside)


def history_of(address: str, windows: Windows) -> History:
    """Who knows the traffic of the past: the Prometheus at an address, or without one what is kept here."""
    return Elsewhere(address, windows) if address else windows
