"""What the control plane asks of agents: their proxies' log levels, what these run, what they wrote.

An agent is never called: it hears in the answer to a heartbeat that something is waiting, fetches it, and sends what
came of it. Nothing is kept beyond the question: who asked is gone or was answered within ``SECONDS``.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

from weft.kit.errors import UserError
from weft.kit.value import Value
from weft.model.identity import Identity

SECONDS = 30.0
"""How long an errand waits for its agent and its answer; agents beat every 5 s."""
PATIENCE = 20.0
"""How long an agent that had one waits for the next."""
LARGEST = 32 * 1024 * 1024
"""Bytes of an answer."""
_MOST = 16
"""Errands that wait for one agent."""


class Errand(Value):
    """One thing to do: its kind, and what it is about."""

    id: str
    kind: str
    arguments: tuple[tuple[str, str], ...] = ()


class NoAnswer(UserError):
    """The agent did not come, or could not do it."""


class _Queue:
    """What waits for one agent."""

    def __init__(self) -> None:
        self.errands: asyncio.Queue[Errand] = asyncio.Queue(_MOST)
        self.users = 0


class Errands:
    """What waits for agents, each known by its certificate's identity and its workload's name."""

    def __init__(self) -> None:
        self._queues: dict[tuple[str, str], _Queue] = {}
        self._answers: dict[str, tuple[str, asyncio.Future[bytes]]] = {}
        self._ended = False

    def end(self) -> None:
        """Let the agents go that wait: the control plane ends."""
        self._ended = True
        for queue in self._queues.values():
            if not queue.errands.full():
                queue.errands.put_nowait(Errand(id="", kind=""))

    async def ask(self, identity: Identity, name: str, kind: str, arguments: Mapping[str, str]) -> bytes:
        """What an agent answers. Raises ``NoAnswer``."""
        errand = Errand(id=secrets.token_hex(16), kind=kind, arguments=tuple(sorted(arguments.items())))
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answers[errand.id] = (identity.uri, answer)
        try:
            async with self._queue(identity, name) as queue, asyncio.timeout(SECONDS):
                await queue.errands.put(errand)
                return await answer
        except TimeoutError as late:
            raise NoAnswer(
                f"the agent of {name} did not answer within {SECONDS:.0f} s",
                help="it may be older than this control plane, stopped, or not yet registered",
            ) from late
        finally:
            del self._answers[errand.id]

    def waiting(self, identity: Identity, name: str) -> bool:
        """Whether something waits for an agent."""
        queue = self._queues.get((identity.uri, name))
        return queue is not None and not queue.errands.empty()

    async def next(self, identity: Identity, name: str) -> Errand | None:
        """The next errand of an agent whose answer somebody still waits for, ``None`` if none comes in a while."""
        with suppress(TimeoutError):
            async with self._queue(identity, name) as queue, asyncio.timeout(PATIENCE):
                while not self._ended:
                    errand = await queue.errands.get()
                    if errand.id in self._answers:
                        return errand
        return None

    def done(self, errand: str, identity: Identity, answer: bytes) -> bool:
        """Take an answer; whether it was an errand of that identity's, and somebody waits for it."""
        return self._settle(errand, identity, lambda waiting: waiting.set_result(answer))

    def failed(self, errand: str, identity: Identity, why: str) -> bool:
        """Take a refusal; see ``done``."""
        return self._settle(errand, identity, lambda waiting: waiting.set_exception(NoAnswer(why)))

    def _settle(self, errand: str, identity: Identity, settle: Callable[[asyncio.Future[bytes]], None]) -> bool:
        uri, waiting = self._answers.get(errand, ("", None))
        if waiting is None or uri != identity.uri or waiting.done():
            return False
        settle(waiting)
        return True

    @asynccontextmanager
    async def _queue(self, identity: Identity, name: str) -> AsyncIterator[_Queue]:
        """The queue of an agent, which is there as long as somebody uses it."""
        key = (identity.uri, name)
        queue = self._queues.setdefault(key, _Queue())
        queue.users += 1
        try:
            yield queue
        finally:
            queue.users -= 1
            if not queue.users:
                self._queues.pop(key, None)
