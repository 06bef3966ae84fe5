"""Keeps the newest table of names: asked for with a long wait, and on disk for when nobody answers.

The names of yesterday lead to the addresses of yesterday, which no other host gets: better than none.
"""

import asyncio
import hashlib
import random
from collections.abc import Callable
from pathlib import Path

import msgspec

from weft.agent.dns.answering import Answering
from weft.agent.dns.table import BadTable, NameTable
from weft.agent.http import HttpClient, Unanswered
from weft.agent.say import say
from weft.kit.files import write_whole
from weft.kit.value import Value

_WAIT, _MARGIN = 50.0, 20.0
_FIRST_PAUSE, _LONGEST_PAUSE, _OLDER = 0.5, 10.0, 60.0
_LARGEST = 32 * 1024 * 1024
_NOT_FOUND, _UNCHANGED = 404, 304
_FILE = "names.json"


class Introduced(Value):
    """Who asks, as its proxy introduces itself."""

    node_id: str
    metadata: str


class NameKeeper:
    """Asks the control plane for one workload."""

    def __init__(
        self,
        answering: Answering,
        who: Introduced,
        client: Callable[[], HttpClient],
        directory: Path,
        chance: random.Random,
    ) -> None:
        self.known = asyncio.Event()
        self._answering = answering
        self._who = who
        self._client = client
        self._file = directory / _FILE
        self._chance = chance
        self._digest = ""
        self._told = ""

    def recall(self) -> None:
        """Use the table of an earlier run."""
        try:
            body = self._file.read_bytes()
            self._answering.use(NameTable(body))
        except (OSError, BadTable):
            return
        self._digest = _digest(body)

    async def run(self) -> None:
        """Ask for ever."""
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._ask()
                self._tell("")
                pause = _FIRST_PAUSE
            except Unanswered as away:
                self._tell(f"the control plane does not tell names ({away}); those of before hold")
                await asyncio.sleep(pause * self._chance.uniform(0.5, 1))
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _ask(self) -> None:
        """One question. Raises ``Unanswered``."""
        asked = {
            **msgspec.structs.asdict(self._who),
            "known": self._digest,
            "wait": _WAIT if self.known.is_set() else 0,
        }
        client = self._client().apart(_WAIT + _MARGIN, _LARGEST)
        answer = await client.request("POST", "/v1/names", msgspec.json.encode(asked))
        if answer.status == _NOT_FOUND:
            self._tell("this control plane knows no names")
            await asyncio.sleep(_OLDER)
        elif answer.status == 200:
            self._take(answer.body)
        elif answer.status != _UNCHANGED:
            raise Unanswered(answer.reason)
        self.known.set()

    def _take(self, body: bytes) -> None:
        try:
            self._answering.use(NameTable(body))
        except BadTable as wrong:
            raise Unanswered(str(wrong)) from wrong
        self._digest = _digest(body)
        write_whole(self._file, body)

    def _tell(self, problem: str) -> None:
        if problem and problem != self._told:
            say(problem)
        elif self._told and not problem:
            say("the control plane tells names again")
        self._told = problem


def _digest(body: bytes) -> str:
    """What the control plane calls a table by."""
    return hashlib.sha256(body).hexdigest()[:32]
