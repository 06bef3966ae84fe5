"""An application of these tests that calls: so many requests a second of every protocol until SIGTERM, each counted.

``python load.py TALLY RATE [PROTOCOL]...``: calls RATE times a second in all, as often with each protocol, and writes
to the file TALLY, as JSON and ten times a second, how many calls there were and all that were lost, by protocol. A call
is begun when it is due, whether or not those before it have been answered.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import grpc
import grpc.aio
import httpx2

PATIENCE = 10.0
PAGES = ("web:9080/whoami", "reviews:9080/reviews/1", "ratings:9080/ratings/1", "catalog:9080/whoami")
STREAM_MESSAGES, MESSAGE_PAUSE = 5, 0.1
"""Of a gRPC stream and of a TCP connection: how many questions, one after the other, and the time between them."""


class Lost(Exception):
    """A call that was not answered as it should."""


class Tally:
    """What became of the calls."""

    def __init__(self, file: Path) -> None:
        self.calls: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.lost: list[dict[str, object]] = []
        self._file = file

    async def count(self, name: str, call: Awaitable[None]) -> None:
        """Make a call and count it."""
        self.calls[name] += 1
        begun = time.time()
        try:
            async with asyncio.timeout(PATIENCE):
                await call
        except (OSError, TimeoutError, Lost, httpx2.HTTPError, grpc.RpcError, asyncio.IncompleteReadError) as why:
            text = f"{type(why).__name__}: {why}"[:400]
            self.lost.append({"protocol": name, "begun": begun, "lasted": time.time() - begun, "why": text})
        else:
            self.answered[name] += 1

    def write(self) -> None:
        """Whole or not at all."""
        draft = self._file.with_suffix(".draft")
        said = {"calls": self.calls, "answered": self.answered, "lost": self.lost}
        draft.write_text(json.dumps(said))
        draft.rename(self._file)


async def http1(client: httpx2.AsyncClient, pages: Iterator[str]) -> None:
    """Through the sidecar's HTTP proxy, over connections that are kept."""
    await _page(client, f"http://{next(pages)}")


async def http2(client: httpx2.AsyncClient) -> None:
    """HTTP/2 without TLS to the local port of a service."""
    await _page(client, f"http://{os.environ['CATALOG_ADDR']}/whoami")


async def _page(client: httpx2.AsyncClient, url: str) -> None:
    answer = await client.get(url)
    if answer.status_code != 200:
        raise Lost(f"{url}: {answer.status_code} {answer.text[:100]}")


async def unary(channel: grpc.aio.Channel) -> None:
    """A gRPC call."""
    if await channel.unary_unary("/test.Echo/Once")(b"one") != b"one":
        raise Lost("another message came back")


async def streaming(channel: grpc.aio.Channel) -> None:
    """A gRPC stream that lives a while."""
    call = channel.stream_stream("/test.Echo/Each")()
    for number in range(STREAM_MESSAGES):
        await call.write(b"%d" % number)
        if await call.read() != b"%d" % number:
            raise Lost("another message came back")
        await asyncio.sleep(MESSAGE_PAUSE)
    await call.done_writing()
    if await call.read() is not grpc.aio.EOF:
        raise Lost("the stream did not end")
    if await call.code() is not grpc.StatusCode.OK:
        raise Lost("the stream ended badly")


async def tcp() -> None:
    """Questions over one TCP connection."""
    host, _, port = os.environ["LEDGER_ADDR"].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        for _ in range(STREAM_MESSAGES):
            writer.write(b"PING\n")
            line = await reader.readline()
            if not line.startswith(b"PONG"):
                raise Lost(f"answered {line!r}")
            await asyncio.sleep(MESSAGE_PAUSE)
    finally:
        writer.close()


def _round_and_round(pages: tuple[str, ...]) -> Iterator[str]:
    while True:
        yield from pages


async def main(file: Path, rate: float, only: list[str]) -> None:
    """Call until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    tally = Tally(file)
    limits = httpx2.Limits(max_connections=100, max_keepalive_connections=100)
    echo = os.environ["ECHO_ADDR"]
    async with (
        httpx2.AsyncClient(proxy=os.environ["HTTP_PROXY"], trust_env=False, timeout=PATIENCE, limits=limits) as one,
        httpx2.AsyncClient(http1=False, http2=True, trust_env=False, timeout=PATIENCE) as two,
        grpc.aio.insecure_channel(echo) as channel,
        asyncio.TaskGroup() as group,
    ):
        pages = _round_and_round(PAGES)
        kinds: dict[str, Callable[[], Awaitable[None]]] = {
            "HTTP/1.1": lambda: http1(one, pages),
            "HTTP/2": lambda: http2(two),
            "gRPC": lambda: unary(channel),
            "gRPC stream": lambda: streaming(channel),
            "TCP": tcp,
        }
        kinds = {name: call for name, call in kinds.items() if name in (only or kinds)}
        tick, due = len(kinds) / rate, time.monotonic()
        written = 0.0
        while not ended.is_set():
            for name, call in kinds.items():
                group.create_task(tally.count(name, call()))
            if due - written > MESSAGE_PAUSE:
                tally.write()
                written = due
            due += tick
            await asyncio.sleep(max(due - time.monotonic(), 0))
    tally.write()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
