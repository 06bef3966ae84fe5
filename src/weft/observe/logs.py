"""Logs of workloads on other hosts: who wants to read which, and what agents send of them.

An agent learns in the answer to its heartbeat what is wanted of it, and sends pieces until there are no more or nobody
reads. The id of a reading is known to its agent alone. A reader that is slow makes the agent wait.
"""

import asyncio
import secrets
from collections import deque
from typing import Any

from weft.kit.value import Value
from weft.model.identity import Identity

LARGEST = 128 * 1024
"""Bytes of a piece."""
_ROOM = 512 * 1024
_PAUSE = 0.5
MOST_READERS = 64
SOURCES = ("app", "sidecar")


class Question(Value):
    """Which log, and what of it: the last lines (-1: all that is kept), or those since a moment; then those to come."""

    namespace: str
    workload: str
    source: str = "app"
    tail: int = -1
    since: float | None = None
    follow: bool = False


class Piece(Value):
    """What was sent; ``skipped`` bytes before it are kept no more."""

    content: bytes
    skipped: int = 0


class Reading:
    """One reader's question, and what came for it."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.id = secrets.token_urlsafe(18)
        self.ended = False
        self.heard = False
        self._pieces: deque[Piece] = deque()
        self._bytes = 0
        self._some = asyncio.Event()

    async def next(self, seconds: float) -> Piece | None:
        """The next piece, ``None`` when none comes in time or at the end."""
        if not self._pieces and not self.ended:
            self._some.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._some.wait()
            except TimeoutError:
                return None
        if not self._pieces:
            return None
        piece = self._pieces.popleft()
        self._bytes -= len(piece.content)
        return piece

    def take(self, piece: Piece, *, end: bool) -> bool:
        """Keep a piece until it is read; whether there was room."""
        self.heard = True
        if self._bytes + len(piece.content) > _ROOM:
            return False
        if piece.content or piece.skipped:
            self._pieces.append(piece)
            self._bytes += len(piece.content)
        self.ended = self.ended or end
        self._some.set()
        return True


class LogDesk:
    """Every reading. Owned by one event loop."""

    def __init__(self) -> None:
        self._readings: dict[str, Reading] = {}

    def enter(self, question: Question) -> Reading | None:
        """One more; ``None`` when there are too many."""
        if len(self._readings) >= MOST_READERS:
            return None
        reading = Reading(question)
        self._readings[reading.id] = reading
        return reading

    def leave(self, reading: Reading) -> None:
        """Nobody reads any more."""
        self._readings.pop(reading.id, None)

    def wanted(self, identity: Identity, workload: str) -> dict[str, Any]:
        """What is said to a workload's agent beside the answer to its heartbeat."""
        mine = (one for one in self._readings.values() if not one.ended and _about(one.question, identity, workload))
        found = [_wanted(one) for one in mine]
        return {"logs": found} if found else {}

    def take(self, identity: Identity, workload: str, number: str, piece: Piece, *, end: bool) -> dict[str, Any] | None:
        """What a workload's agent sends; ``None`` when nobody wants it."""
        reading = self._readings.get(number)
        if reading is None or not _about(reading.question, identity, workload):
            return None
        taken = reading.take(piece, end=end)
        return {"taken": taken, "pause": 0.0 if taken else _PAUSE}


def _about(question: Question, identity: Identity, workload: str) -> bool:
    return (question.namespace, question.workload) == (identity.namespace, workload)


def _wanted(reading: Reading) -> dict[str, Any]:
    asked = reading.question
    return {
        "id": reading.id,
        "source": asked.source,
        "tail": asked.tail,
        "since": asked.since,
        "follow": asked.follow,
    }
