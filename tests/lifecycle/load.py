"""An application of these tests that calls: so many requests a second of every protocol until SIGTERM, each counted.

``python -m tests.lifecycle.load TALLY RATE [PROTOCOL]...``: calls RATE times a second in all, as often with each
protocol, and writes to the file TALLY, as JSON and some times a second, how many calls there were and which were lost.
A call is begun when it is due, whether or not those before it have been answered; where the machine is too slow for
that, later ones are begun later, and none of a protocol of which ``MOST`` are unanswered: a queue that grows for ever
would be a loss of the caller's making. ``rate`` in TALLY is how many were begun in a second.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from itertools import cycle
from pathlib import Path
from typing import Any

import grpc

from tests.lifecycle.callers import Http1, Http2, Lost, grpc_calls, tcp
from weft.agent.http import Unanswered

PATIENCE = 60.0
"""Seconds after which a call is lost that is not answered; one that is slow is not lost."""
PAGES = os.environ.get("PAGES", "catalog:9080/whoami").split()
MOST = 100
_WRITTEN, _LATE = 0.3, 0.5
_FAILED = (OSError, TimeoutError, Lost, Unanswered, grpc.RpcError, asyncio.IncompleteReadError)


class Tally:
    """What became of the calls."""

    def __init__(self, file: Path) -> None:
        self.calls: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.lost: list[dict[str, object]] = []
        self._under_way: Counter[str] = Counter()
        self._began = time.monotonic()
        self._file = file

    async def count(self, name: str, call: Awaitable[None]) -> None:
        """Make a call and count it."""
        self.calls[name] += 1
        self._under_way[name] += 1
        begun = time.time()
        try:
            async with asyncio.timeout(PATIENCE):
                await call
        except _FAILED as why:
            text = f"{type(why).__name__}: {why}"[:400]
            self.lost.append({"protocol": name, "begun": begun, "lasted": time.time() - begun, "why": text})
        else:
            self.answered[name] += 1
        finally:
            self._under_way[name] -= 1

    def unanswered(self, name: str) -> int:
        """How many calls are under way."""
        return self._under_way[name]

    def write(self) -> None:
        """Whole or not at all."""
        draft = self._file.with_suffix(".draft")
        said: dict[str, object] = {"calls": self.calls, "answered": self.answered, "lost": self.lost}
        said["rate"] = sum(self.calls.values()) / max(time.monotonic() - self._began, 1.0)
        draft.write_text(json.dumps(said))
        draft.rename(self._file)


async def main(file: Path, rate: float, only: list[str]) -> None:
    """Call until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    tally = Tally(file)
    http1, http2 = Http1(os.environ["HTTP_PROXY"], PATIENCE), Http2(os.environ["CATALOG_ADDR"])
    ledger, pages = os.environ["LEDGER_ADDR"], cycle(PAGES)
    async with grpc_calls(os.environ["ECHO_ADDR"]) as calls, asyncio.TaskGroup() as group:
        kinds: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "HTTP/1.1": lambda: http1.call(next(pages)),
            "HTTP/2": lambda: http2.call("/whoami"),
            "gRPC": calls.once,
            "gRPC stream": calls.stream,
            "TCP": lambda: tcp(ledger),
        }
        wanted = {name: call for name, call in kinds.items() if name in (only or kinds)}
        due, written = time.monotonic(), 0.0
        while not ended.is_set():
            for name, call in wanted.items():
                if tally.unanswered(name) < MOST:
                    group.create_task(tally.count(name, call()))
                due += 1 / rate
                await asyncio.sleep(max(due - time.monotonic(), 0))
            due = max(due, time.monotonic() - _LATE)
            if due - written > _WRITTEN:
                tally.write()
                written = due
    tally.write()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
