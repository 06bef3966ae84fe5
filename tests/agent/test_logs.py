"""Pieces of logs go to whoever asked, once each and in order, and stop when nobody reads."""

import asyncio
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from weft.agent import logs
from weft.agent.http import Answer, HttpClient, Unanswered
from weft.agent.logs import LogSender, Wanted
from weft.agent.ring import Ring
from weft.kit.clock import FakeClock
from weft.kit.tasks import tasks

pytestmark = pytest.mark.asyncio


class Client:
    """The control plane as a script: what it answers to each piece, and what it got."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.got: list[tuple[bytes, dict[str, list[str]]]] = []

    async def request(self, method: str, path: str, body: bytes) -> Answer:
        self.got.append((body, parse_qs(urlsplit(path).query)))
        answer = self._answers.pop(0) if self._answers else {"taken": True}
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            return Answer(status=answer, body=b"")
        return Answer(status=200, body=msgspec.json.encode(answer))


async def sent(client: Client, ring: Ring, *wanted: Wanted, until: int) -> list[bytes]:
    """The bodies of so many pieces."""
    sender = LogSender("web-1", {"app": ring}, lambda: cast(HttpClient, client))
    async with tasks() as group:
        group.start(sender.run(), "logs")
        sender.asked(wanted)
        sender.asked(wanted)
        async with asyncio.timeout(10):
            while len(client.got) < until:  # noqa: ASYNC110  the script has no event
                await asyncio.sleep(0.01)
    return [body for body, _ in client.got]


@pytest.fixture
def ring(tmp_path: Path) -> Ring:
    found = Ring(tmp_path / "log", FakeClock(), half=1000)
    found.append(b"one\ntwo\nthree\n")
    return found


async def test_what_is_there_is_sent_once_and_then_its_end(ring: Ring):
    client = Client()
    assert await sent(client, ring, Wanted(id="a"), until=2) == [b"one\ntwo\nthree\n", b""]
    assert [said["end"] for _, said in client.got] == [["0"], ["1"]]


async def test_only_the_last_lines_are_sent_if_only_they_are_wanted(ring: Ring):
    assert (await sent(Client(), ring, Wanted(id="a", tail=1), until=1))[0] == b"three\n"


async def test_a_piece_that_was_not_taken_is_sent_again(ring: Ring):
    client = Client({"taken": False, "pause": 0.01}, {"taken": True})
    assert await sent(client, ring, Wanted(id="a"), until=3) == [b"one\ntwo\nthree\n"] * 2 + [b""]


async def test_what_comes_later_follows_until_nobody_reads(ring: Ring, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(logs, "_LOOK", 0.01)
    client = Client({"taken": True}, 410)

    async def go_on() -> None:
        while not client.got:  # noqa: ASYNC110  the script has no event
            await asyncio.sleep(0.005)
        ring.append(b"four\n")

    going_on = asyncio.create_task(go_on())
    assert await sent(client, ring, Wanted(id="a", follow=True), until=2) == [b"one\ntwo\nthree\n", b"four\n"]
    await going_on
    await asyncio.sleep(0.05)
    assert len(client.got) == 2


async def test_what_is_kept_no_more_is_counted(ring: Ring):
    for _ in range(50):
        ring.append(b"x" * 99 + b"\n")
    client = Client()
    await sent(client, ring, Wanted(id="a"), until=1)
    assert int(client.got[0][1]["skipped"][0]) > 0


async def test_a_control_plane_that_is_away_is_tried_again_and_an_unknown_log_is_nobodys(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
):
    naps: list[float] = []
    sleep = asyncio.sleep

    async def nap(seconds: float) -> None:
        naps.append(seconds)
        await sleep(min(seconds, 0.01))

    monkeypatch.setattr(logs.asyncio, "sleep", nap)
    client = Client(Unanswered("away"), {"taken": True})
    bodies = await sent(client, ring, Wanted(id="b", source="other"), Wanted(id="a"), until=3)
    assert bodies == [b"one\ntwo\nthree\n"] * 2 + [b""]
    assert 1.0 in naps
