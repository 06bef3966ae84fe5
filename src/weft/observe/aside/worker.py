"""The process beside: one question after the other."""

import gc
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

import msgspec

from weft.observe.aside.frames import Failure, Found, Gone, Kind, Line, Wants
from weft.observe.promql.answering import Question, answered
from weft.observe.promql.columns import QueryError
from weft.observe.promql.series import Matcher, Series
from weft.observe.windows.histories import Live, selected
from weft.observe.windows.reading import Reading

MEMORY = 512 * 1024 * 1024
"""Bytes that the process may have, of which it takes some 20 MiB to begin with."""
_QUESTION = msgspec.msgpack.Decoder(Question)
_FOUND = msgspec.msgpack.Decoder(Found)


def serve(line: Line, reading: Reading, short: Callable[[], bool]) -> None:
    """Answer until the other end hangs up, or until memory was ``short``: a new process begins in good order."""
    try:
        while True:
            _, content = line.receive()
            if not _answer(line, reading, _QUESTION.decode(content), short):
                return
            gc.collect()
    except Gone:
        return


def _answer(line: Line, reading: Reading, question: Question, short: Callable[[], bool]) -> bool:
    """Say the answer, or why there is none; whether another question can be answered."""
    deadline = time.monotonic() + question.seconds

    def expired() -> bool:
        if short():
            raise MemoryError
        return time.monotonic() > deadline

    try:
        content = answered(question, _Told(line, reading), expired)
    except QueryError as wrong:
        line.send(Kind.FAILURE, Failure(message=wrong.message, kind=wrong.kind, help=wrong.help))
    except MemoryError:
        line.send(Kind.FAILURE, _short_of_memory())
        return False
    else:
        line.send_bytes(Kind.ANSWER, content)
    return True


def _short_of_memory() -> Failure:
    return Failure(
        message=f"the query needs more than {MEMORY // 2**20} MiB of memory",
        kind="execution",
        help="choose fewer series, a shorter time or longer steps",
    )


class _Told:
    """Series of the file, and of what the other process knows besides."""

    def __init__(self, line: Line, reading: Reading) -> None:
        self._line = line
        self._reading = reading

    def select(self, matchers: tuple[Matcher, ...], start: int, end: int) -> Iterable[Series]:
        """The series of a query."""
        self._line.send(Kind.WANTS, Wants(matchers=matchers, start=start, end=end))
        now, lives, whole = 0, list[Live](), list[Series]()
        for part in self._found():
            now = part.now
            lives += part.lives
            whole += part.whole
        with self._reading.at_once():
            known = selected(self._reading, lives, now, matchers, start, end)
        return chain(known, whole)

    def _found(self) -> Iterator[Found]:
        more = True
        while more:
            _, content = self._line.receive()
            part = _FOUND.decode(content)
            yield part
            more = part.more
