"""This side: the processes, and what they are told. Everything here waits, and is called on threads."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from socket import socketpair
from subprocess import DEVNULL, Popen
from threading import Lock

import msgspec

from weft.observe.aside.frames import Failure, Found, Gone, Kind, Line, Wants
from weft.observe.promql.answering import Question
from weft.observe.promql.columns import QueryError
from weft.observe.promql.series import Series, Source
from weft.observe.windows.histories import Live
from weft.observe.windows.store import Windows

IDLE = 60.0
"""Seconds after which a process that nobody asks is ended."""
_GRACE = 1.0
"""Seconds that a process has to say by itself that a question took too long."""
_PART = 64
"""Series that are told at once."""
_WANTS = msgspec.msgpack.Decoder(Wants)
_FAILURE = msgspec.msgpack.Decoder(Failure)
_Told = Callable[[Wants], Iterator[Found]]


class Aside:
    """Answers from the windows, whose file is at ``path``, and from ``others``, which is in memory.

    As many processes as there are callers at a time; the callers see to that.
    """

    def __init__(self, path: Path, windows: Windows, others: Source) -> None:
        self._path = path
        self._windows = windows
        self._others = others
        self._lock = Lock()
        self._free: list[_Process] = []
        self._all: list[_Process] = []
        self._closed = False

    def answer(self, question: Question) -> bytes:
        """The answer in JSON. Raises ``QueryError``."""
        process = self._taken()
        if process is not None:
            try:
                return self._asked(process, question)
            except Gone:
                pass  # it ended while nobody asked, which says nothing of this question
        process = self._started()
        try:
            return self._asked(process, question)
        except Gone:
            raise self._lost(process) from None

    def rest(self) -> None:
        """End the processes that nobody asked for a while."""
        late = time.monotonic() - IDLE
        with self._lock:
            idle = [one for one in self._free if one.asked <= late]
            self._free = [one for one in self._free if one.asked > late]
        for one in idle:
            self._ended(one)

    def close(self) -> None:
        """End all processes, whatever they do; who waits for one is told."""
        with self._lock:
            free, self._free = self._free, []
            self._closed = True
            asked = [one for one in self._all if one not in free]
        for one in asked:
            one.kill()
        for one in free:
            self._ended(one)

    @property
    def processes(self) -> tuple[int, ...]:
        """The numbers of those that run."""
        with self._lock:
            return tuple(one.pid for one in self._all)

    def _taken(self) -> "_Process | None":
        with self._lock:
            return self._free.pop() if self._free else None

    def _started(self) -> "_Process":
        with self._lock:
            if self._closed:
                raise QueryError("the control plane stops", kind="unavailable")
            try:
                process = _Process(self._path)
            except OSError as failure:
                raise QueryError(f"no process can be started that evaluates ({failure})", kind="unavailable") from None
            self._all.append(process)
            return process

    def _asked(self, process: "_Process", question: Question) -> bytes:
        whole = False
        try:
            content = process.ask(question, self._found)
            whole = True
            return content
        except QueryError:
            whole = True
            raise
        except TimeoutError:
            raise QueryError("query timed out in expression evaluation", kind="timeout") from None
        finally:
            self._back(process, usable=whole)

    def _back(self, process: "_Process", *, usable: bool) -> None:
        with self._lock:
            if usable and not self._closed:
                self._free.append(process)
                return
        self._ended(process)

    def _ended(self, process: "_Process") -> None:
        process.end()
        with self._lock:
            if process in self._all:
                self._all.remove(process)

    def _lost(self, process: "_Process") -> QueryError:
        if self._closed:
            return QueryError("the control plane stops", kind="unavailable")
        return QueryError(f"the process that evaluated the query ended ({process.how})")

    def _found(self, wants: Wants) -> Iterator[Found]:
        now, lives = self._windows.lives(wants.matchers)
        whole = [
            one._replace(times=list(one.times)) for one in self._others.select(wants.matchers, wants.start, wants.end)
        ]
        yield from _parts(now, lives, whole)


def _parts(now: int, lives: Sequence[Live], whole: Sequence[Series]) -> Iterator[Found]:
    """In parts, so that whoever else waits gets a turn between them."""
    for begin in range(0, len(lives), _PART):
        yield Found(now, tuple(lives[begin : begin + _PART]), (), more=True)
    for begin in range(0, len(whole), _PART):
        yield Found(now, (), tuple(whole[begin : begin + _PART]), more=True)
    yield Found(now, (), (), more=False)


class _Process:
    """One process, which answers one question at a time. ``asked`` is when it was asked last (monotonic seconds)."""

    def __init__(self, path: Path) -> None:
        ours, theirs = socketpair()
        command = [sys.executable, "-P", "-m", "weft.observe.aside", str(path)]
        self._line = Line(ours)
        with theirs:
            try:
                self._process: Popen[bytes] = Popen(command, stdin=theirs.fileno(), stdout=DEVNULL)
            except OSError:
                self._line.close()
                raise
        self.asked = time.monotonic()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def how(self) -> str:
        """How it ended."""
        code = self._process.returncode
        return f"signal {-code}" if code is not None and code < 0 else f"code {code}"

    def ask(self, question: Question, told: _Told) -> bytes:
        """Its answer. Raises ``QueryError``, ``Gone``, ``TimeoutError``; after the last two it is of no use."""
        self._line.wait(question.seconds + _GRACE)
        self._line.send(Kind.QUESTION, question)
        while True:
            kind, content = self._line.receive()
            self.asked = time.monotonic()
            match kind:
                case Kind.WANTS:
                    for found in told(_WANTS.decode(content)):
                        self._line.send(Kind.FOUND, found)
                case Kind.FAILURE:
                    failure = _FAILURE.decode(content)
                    raise QueryError(failure.message, kind=failure.kind, help=failure.help)
                case _:
                    return content

    def kill(self) -> None:
        """Let it be gone, for whoever asks it, too."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """At once, for it holds nothing that would be lost; nobody asks it."""
        self.kill()
        self._line.close()
