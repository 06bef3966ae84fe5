"""A control plane that has no time for what a real Envoy tells fills neither its own memory nor the Envoy's."""

import asyncio
from pathlib import Path

import psutil
import pytest

from tests.observe.one_proxy import proxy_of, until
from tests.observe.paced import ask_all
from weft.observe import backlog
from weft.observe.sinks import Turns

pytestmark = [pytest.mark.live, pytest.mark.asyncio]
_MESSAGES = 400


async def test_reports_that_nobody_has_time_for_are_dropped_and_counted_and_fill_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "SHARE", 32 * 1024)
    resting = asyncio.Event()

    async def never(*_: object) -> None:
        await resting.wait()

    monkeypatch.setattr(Turns, "read", never)
    async with proxy_of(tmp_path, flush=0.01) as proxy:
        await ask_all(proxy.port, [0.001] * 200, connections=8)
        await until(lambda: proxy.handlers.dropped > 20)
        envoy = psutil.Process(proxy.process.pid)
        before = envoy.memory_info().rss
        await until(lambda: proxy.handlers.dropped > _MESSAGES)
        await ask_all(proxy.port, [0.001] * 50, connections=8)
        assert envoy.memory_info().rss - before < 4_000_000
        resting.set()
    assert proxy.metrics.messages == 0
