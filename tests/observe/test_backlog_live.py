"""A control plane that has no time for what a real Envoy tells fills neither its own memory nor the Envoy's."""

import asyncio
import re
from pathlib import Path

import psutil
import pytest

from tests.observe.one_proxy import proxy_of, until
from tests.observe.paced import ask_all
from weft.agent.bootstrap import STREAM_WINDOW
from weft.observe import backlog
from weft.observe.sinks import Turns

pytestmark = [pytest.mark.live, pytest.mark.asyncio]
_MESSAGES = 400
_EACH, _BYTES = 50, 8000


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


async def test_entries_of_logs_that_nobody_has_time_for_are_dropped_by_the_proxy_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resting = asyncio.Event()

    async def never(*_: object) -> None:
        await resting.wait()

    monkeypatch.setattr(Turns, "read", never)
    async with proxy_of(tmp_path, log_name="all") as proxy:
        await ask_all(proxy.port, [0.0] * 50, connections=8)
        envoy = psutil.Process(proxy.process.pid)
        before = envoy.memory_info().rss
        for _ in range(8):
            await asyncio.gather(*(_large(proxy.port) for _ in range(8)))
        name = "access_logs.grpc_access_log.logs"
        written = await asyncio.to_thread(proxy.statistic, f"{name}_written")
        dropped = await asyncio.to_thread(proxy.statistic, f"{name}_dropped")
        assert written + dropped == 50 + 8 * 8 * _EACH
        # What the server has taken for its stream, some MiB, and what waits in the proxy.
        assert 0 < written * _BYTES < 10 * STREAM_WINDOW
        assert envoy.memory_info().rss - before < 12_000_000
        resting.set()


async def _large(port: int) -> None:
    """Calls with a header of some kilobytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(_EACH):
        writer.write(b"GET /0 HTTP/1.1\r\nhost: a\r\nx-large: " + b"x" * _BYTES + b"\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        length = re.search(rb"content-length: (\d+)", head)
        assert length is not None
        await reader.readexactly(int(length[1]))
    writer.close()
