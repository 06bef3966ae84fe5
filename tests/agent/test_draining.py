"""A drain ends when callers know and nobody is connected, and not before; the time that it has bounds it."""

import asyncio

import pytest

from weft.agent.draining import Draining
from weft.agent.farewell import Farewell
from weft.agent.http import Answer, HttpClient, Unanswered
from weft.agent.stopping import Stopping

pytestmark = pytest.mark.asyncio


class Scene:
    """A drain of what has so many callers; what happened is listed."""

    def __init__(self, seconds: float, callers: int) -> None:
        self.happened: list[str] = []
        self.callers = callers
        self.stopping = Stopping()
        loop = asyncio.get_running_loop()
        self.life: asyncio.Future[int] = loop.create_future()
        self.told: asyncio.Future[None] = loop.create_future()
        self._draining = Draining(self._drain, self._count, self.stopping, seconds)

    async def run(self) -> float:
        """The seconds that it took."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await self._draining.run(self.life, self.told)
        return loop.time() - begun

    async def _drain(self) -> None:
        self.happened.append("drained told" if self.told.done() else "drained")

    async def _count(self) -> int:
        return self.callers


async def test_listeners_drain_as_soon_as_callers_know() -> None:
    scene = Scene(seconds=30, callers=0)
    asyncio.get_running_loop().call_later(0.05, scene.told.set_result, None)
    assert 0.05 <= await scene.run() < 5
    assert scene.happened == ["drained told"]


async def test_nobody_connected_is_no_end_as_long_as_somebody_may_come() -> None:
    scene = Scene(seconds=0.6, callers=0)
    assert await scene.run() >= 0.6
    assert scene.happened == ["drained"]


async def test_who_is_connected_is_waited_for_until_the_time_is_up() -> None:
    scene = Scene(seconds=0.6, callers=1)
    scene.told.set_result(None)
    assert await scene.run() >= 0.6


async def test_an_application_that_ended_or_a_second_signal_ends_the_drain() -> None:
    ended, hurried = Scene(seconds=30, callers=1), Scene(seconds=30, callers=1)
    ended.life.set_result(0)
    hurried.stopping.ask()
    asyncio.get_running_loop().call_later(0.05, hurried.stopping.ask)
    assert max(await ended.run(), await hurried.run()) < 5
    assert ended.happened == hurried.happened == []


async def test_no_time_is_no_wait() -> None:
    scene = Scene(seconds=0, callers=3)
    assert await scene.run() < 1
    assert scene.happened == ["drained"]


class _Answers(HttpClient):
    """A control plane that gives these answers one after the other."""

    def __init__(self, *answers: Answer | Unanswered) -> None:
        self.left = list(answers)

    async def request(self, method: str, path: str, body: bytes = b"") -> Answer:
        answer = self.left.pop(0)
        if isinstance(answer, Unanswered):
            raise answer
        return answer

    def close(self) -> None:
        return


async def _heard() -> bool:
    return True


NOT_YET, ALL = Answer(status=200, body=b'{"told": false}'), Answer(status=200, body=b'{"told": true}')
UNKNOWN = Answer(status=404, body=b"")


@pytest.mark.parametrize("answers", [(NOT_YET, ALL), (UNKNOWN,), (Unanswered("refused"), ALL)])
async def test_a_farewell_is_over_when_all_know_or_nobody_can_say(answers: tuple[Answer | Unanswered, ...]) -> None:
    client = _Answers(*answers)
    await asyncio.wait_for(Farewell(_heard, lambda: client).run(0.0), 5)
    assert client.left == []


async def test_a_farewell_lasts_a_while_even_if_all_know_at_once() -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await Farewell(_heard, lambda: _Answers(ALL)).run(0.2)
    assert loop.time() - begun >= 0.2
