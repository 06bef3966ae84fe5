"""Takes leave of callers: says that the workload goes, and returns when all of them know."""

import asyncio
from collections.abc import Awaitable, Callable

from weft.agent.http import HttpClient, Unanswered

TOLD_SECONDS = 1.0
"""How long callers get to hear of it at least: one that has lost its control plane comes back to it meanwhile."""
_PAUSE = 0.2


class Farewell:
    """``leave`` says that it goes; whether that was heard. ``client`` makes a connection of its own, for waiting."""

    def __init__(self, leave: Callable[[], Awaitable[bool]], client: Callable[[], HttpClient]) -> None:
        self._leave = leave
        self._client = client

    async def run(self, seconds: float) -> None:
        """Return when every caller has taken it, or nobody can tell; not before ``seconds``."""
        loop = asyncio.get_running_loop()
        earliest = loop.time() + seconds
        if await self._leave():
            await self._until_told()
        await asyncio.sleep(max(earliest - loop.time(), 0))

    async def _until_told(self) -> None:
        client = self._client()
        try:
            while not await _told(client):  # noqa: ASYNC110  the control plane waits before it says no
                await asyncio.sleep(_PAUSE)
        finally:
            client.close()


async def _told(client: HttpClient) -> bool:
    """Whether all know, or will not say: a control plane that is older than the question.

    One that is away now had heard the farewell, and will be back: who has not been told goes on to call meanwhile.
    """
    try:
        answer = await client.request("GET", "/v1/told")
    except Unanswered:
        return False
    said = answer.json()
    return answer.status != 200 or not isinstance(said, dict) or bool(said.get("told"))
