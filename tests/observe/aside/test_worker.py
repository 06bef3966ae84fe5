"""The process beside, spoken to directly."""

from pathlib import Path
from socket import socketpair
from threading import Thread

import msgspec
import pytest

from weft.observe.aside.frames import Failure, Found, Gone, Kind, Line
from weft.observe.aside.worker import serve
from weft.observe.promql.answering import Question
from weft.observe.promql.columns import Steps
from weft.observe.windows.reading import reading_of
from weft.observe.windows.store import Windows


def test_who_cannot_have_its_memory_limited_looks_by_itself_and_ends_when_it_is_short(tmp_path: Path):
    windows = Windows(tmp_path / "windows.db")
    ours, theirs = socketpair()
    line, spent = Line(ours), [False, True]

    def serving() -> None:
        reading = reading_of(tmp_path / "windows.db")
        serve(Line(theirs), reading, lambda: spent.pop(0))
        reading.close()
        theirs.close()

    working = Thread(target=serving)
    working.start()
    line.wait(30)
    steps = Steps(start=0, end=0, step=1)
    for _ in range(2):
        line.send(Kind.QUESTION, Question(query="abs(requests_total)", steps=steps, instant=True, seconds=30))
        kind, content = line.receive()
        assert kind is Kind.WANTS
        line.send(Kind.FOUND, Found(0, (), (), more=False))
        kind, content = line.receive()
        if spent:
            assert msgspec.json.decode(content)["data"]["result"] == []
    assert kind is Kind.FAILURE
    failure = msgspec.msgpack.decode(content, type=Failure)
    assert failure.message == "the query needs more than 512 MiB of memory"
    with pytest.raises(Gone):
        line.receive()
    working.join(30)
    line.close()
    windows.close()
