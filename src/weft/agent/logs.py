"""Logs for whoever asks the control plane for them: it says so in the answer to a heartbeat, and is sent what it wants.

Nothing is sent unasked. A reader that is slow is waited for; what the files have lost meanwhile is passed over.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated
from urllib.parse import quote

import msgspec

from weft.agent.http import HttpClient, Unanswered
from weft.agent.ring import Source, last_lines
from weft.kit.tasks import tasks
from weft.kit.value import Value

_MOST = 64 * 1024
_AT_ONCE = 4
_LOOK = 0.3
_ALIVE = 5.0
_TRIES = 5


class Wanted(Value):
    """What somebody wants: the last lines (``tail``, -1 for all), or those since a moment; and then those that come."""

    id: Annotated[str, msgspec.Meta(max_length=64)]
    source: Annotated[str, msgspec.Meta(max_length=16)] = "app"
    tail: int = -1
    since: float | None = None
    follow: bool = False


class _Told(Value):
    """The answer to a piece. ``taken``: not to be sent again."""

    taken: bool = True
    pause: float = 0.0


class LogSender:
    """Sends pieces of ``sources``, by name, in the name of a workload."""

    def __init__(self, workload: str, sources: Mapping[str, Source], client: Callable[[], HttpClient]) -> None:
        self._workload = workload
        self._sources = sources
        self._client = client
        self._asked: asyncio.Queue[Wanted] = asyncio.Queue()
        self._busy: set[str] = set()

    def asked(self, wanted: Sequence[Wanted]) -> None:
        """Begin to send what is not being sent yet."""
        for one in wanted:
            if one.id not in self._busy and len(self._busy) < _AT_ONCE and one.source in self._sources:
                self._busy.add(one.id)
                self._asked.put_nowait(one)

    async def run(self) -> None:
        """Send what is asked for, for ever."""
        async with tasks() as group:
            while True:
                wanted = await self._asked.get()
                group.start(self._serve(wanted), "logs")

    async def _serve(self, wanted: Wanted) -> None:
        try:
            await self._send(wanted, self._sources[wanted.source])
        finally:
            self._busy.discard(wanted.id)

    async def _send(self, wanted: Wanted, source: Source) -> None:
        position, quiet = _begin(wanted, source), 0.0
        while True:
            begin, piece = source.read(position, _MOST)
            skipped, ended = max(0, begin - position), not piece and not wanted.follow
            if not piece and not ended and quiet < _ALIVE:
                quiet += _LOOK
                await asyncio.sleep(_LOOK)
                continue
            told = await self._piece(wanted, piece, skipped, ended=ended)
            if told is None or ended:
                return
            position, quiet = (begin + len(piece) if told.taken else position), 0.0
            await asyncio.sleep(min(told.pause, _ALIVE))

    async def _piece(self, wanted: Wanted, piece: bytes, skipped: int, *, ended: bool) -> _Told | None:
        """Send a piece; ``None`` when nobody wants it any more."""
        path = f"/v1/logs/{self._workload}/{quote(wanted.id, safe='')}?skipped={skipped}&end={int(ended)}"
        for _ in range(_TRIES):
            try:
                answer = await self._client().request("PUT", path, piece)
            except Unanswered:
                await asyncio.sleep(1.0)
                continue
            if answer.status != 200:
                return None
            try:
                return msgspec.json.decode(answer.body, type=_Told)
            except msgspec.MsgspecError:
                return None
        return None


def _begin(wanted: Wanted, source: Source) -> int:
    if wanted.since is not None:
        return source.since(wanted.since)
    return 0 if wanted.tail < 0 else last_lines(source, min(wanted.tail, 100_000))
