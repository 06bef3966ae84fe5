"""Proxies that tell as much as they are asked for, in a process of their own: ``python -m bench.flood SETUP.json``.

A line ``points 50000`` on standard input begins to tell so many a second, ``quiet 0`` ends it; each line is answered
with how many were told and taken since the one before, and within how many seconds. ``bench.telling`` starts the
process. Proxies have a connection and a certificate each.
"""

import asyncio
import itertools
import json
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc

from bench.reports import KINDS, PROXIES, told
from weft.kit.tasks import Tasks, tasks

_TURN = 0.05
QUIET = "quiet"


class Flood:
    """What is told now. ``count`` is how much was."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self.count = 0

    async def tell(self, channel: Any, proxy: int, kind: str, per_second: float) -> None:
        """Tell until cancelled; what cannot be told in time is told later, but not more than a turn's worth at once."""
        messages = itertools.cycle(told(kind, proxy, self._namespace))
        send = _stream(channel, kind) if kind != "spans" else _calls(channel, kind)
        due = time.monotonic() + _TURN * proxy / PROXIES
        while True:
            content, many = next(messages)
            now = time.monotonic()
            if due > now:
                await asyncio.sleep(due - now)
            due = max(due, now - _TURN) + many / per_second
            await send(content)
            self.count += many


def _stream(channel: Any, kind: str) -> Any:
    return channel.stream_unary(KINDS[kind])().write


def _calls(channel: Any, kind: str) -> Any:
    return channel.unary_unary(KINDS[kind])


async def _obey(flood: Flood, channels: list[Any]) -> None:
    """Read lines until there are no more."""
    loop, since = asyncio.get_running_loop(), time.monotonic()
    async with tasks() as group:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            kind, rate = line.split()
            group.cancel()
            print(flood.count, time.monotonic() - since, flush=True)
            flood.count, since = 0, time.monotonic()
            if kind != QUIET:
                _begin(group, flood, channels, kind, float(rate))


def _begin(group: Tasks, flood: Flood, channels: list[Any], kind: str, rate: float) -> None:
    for proxy, channel in enumerate(channels):
        group.start(flood.tell(channel, proxy, kind, rate / len(channels)), f"proxy {proxy}")


def _credentials(setup: dict[str, Any], one: dict[str, Any]) -> Any:
    chain = one["chain"] if isinstance(one["chain"], str) else "".join(one["chain"])
    return grpc.ssl_channel_credentials(setup["bundle"].encode(), one["key"].encode(), chain.encode())


async def _run(setup: dict[str, Any]) -> None:
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with AsyncExitStack() as stack:
        channels = [
            await stack.enter_async_context(
                grpc.aio.secure_channel(setup["address"], _credentials(setup, one), options=options)
            )
            for one in setup["clients"][:PROXIES]
        ]
        for channel in channels:
            await channel.channel_ready()
        await _obey(Flood(setup["namespace"]), channels)


if __name__ == "__main__":
    asyncio.run(_run(json.loads(Path(sys.argv[1]).read_text())))
