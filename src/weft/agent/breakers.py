"""The states of the circuit breakers in the sidecar: the file that its workers share, and what is told of them.

The layout is that of ``weft_breaker`` in ``weft.compiler.http_filters.breaker_script``, whose machine writes it. It is
read here without its lock: a number may be of the moment before its neighbour's.
"""

import asyncio
import mmap
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from weft.agent.http import HttpClient, Unanswered
from weft.kit.clock import Clock
from weft.kit.value import Value

VARIABLE = "WEFT_BREAKERS"
SLOTS = 1024
_SLOT = struct.Struct("=384s64x9d2i6I480x")
_STATES = ("closed", "open", "half-open")
_FORCED = ("", "open", "closed")
_LOOK = 1.0
_REPEAT = 10.0


class BreakerState(Value):
    """One breaker for one destination. ``since`` is seconds since the epoch, ``remaining`` those until it is tried."""

    breaker: str
    destination: str
    state: str
    forced: str
    since: float
    remaining: float
    calls: int
    failures: int
    slow: int
    refused: int
    opened: int
    generation: int


def make_file(path: Path) -> bool:
    """A new, empty file for the states, all of it on the disk: Envoy would not survive a page that cannot be had."""
    path.unlink(missing_ok=True)
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError:
        return False
    try:
        os.posix_fallocate(handle, 0, _SLOT.size * SLOTS)
    except OSError:
        path.unlink(missing_ok=True)
        return False
    finally:
        os.close(handle)
    return True


def read_file(path: Path, now: float) -> tuple[BreakerState, ...]:
    """The states that the file holds; none where there is no file. ``now`` is monotonic."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return tuple(_states(content, now))
    except (OSError, ValueError):
        return ()


def _states(content: mmap.mmap, now: float) -> Iterator[BreakerState]:
    """Slot 0 only holds the lock of the list; the list ends at the first slot without a name."""
    for offset in range(_SLOT.size, min(len(content), _SLOT.size * SLOTS), _SLOT.size):
        name, *fields = _SLOT.unpack_from(content, offset)
        text = name.partition(b"\0")[0].decode(errors="replace")
        if not text:
            return
        since, until, _, _, calls, failures, slow, refused, opened, state, forced, generation, *_ = fields
        breaker, _, destination = text.partition("|")
        yield BreakerState(
            breaker=breaker,
            destination=destination,
            state=_STATES[state] if 0 <= state < len(_STATES) else "closed",
            forced=_FORCED[forced] if 0 <= forced < len(_FORCED) else "",
            since=since,
            remaining=max(0.0, until - now) if state == 1 else 0.0,
            calls=int(calls),
            failures=int(failures),
            slow=int(slow),
            refused=int(refused),
            opened=int(opened),
            generation=generation,
        )


class BreakerReports:
    """Tells the control plane of the breakers: when one turns, and every ten seconds. It may be away; they go on."""

    def __init__(self, path: Path, workload: str, client: Callable[[], HttpClient], clock: Clock) -> None:
        self._path = path
        self._workload = workload
        self._client = client
        self._clock = clock
        self._turned: tuple[tuple[str, str, int], ...] = ()
        self._due = 0.0

    async def run(self) -> None:
        """Look once a second, for ever."""
        while True:
            await asyncio.sleep(_LOOK)
            await self._look()

    async def _look(self) -> None:
        now = self._clock.monotonic()
        states = read_file(self._path, now)
        turned = tuple((one.breaker + one.destination, one.forced, one.generation) for one in states)
        if not states or (turned == self._turned and now < self._due):
            return
        try:
            body = msgspec.json.encode({"breakers": states})
            answer = await self._client().request("PUT", f"/v1/breakers/{self._workload}", body)
        except Unanswered:
            return
        if answer.status == 204:
            self._turned, self._due = turned, now + _REPEAT
