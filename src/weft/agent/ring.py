"""What a workload said last, in two files of a bounded size, and what Envoy wrote: both read by where one is in them.

A position is a number of bytes since the first that was kept. What was dropped since is passed over.
"""

import contextlib
import os
import re
import threading
from collections import deque
from datetime import datetime
from pathlib import Path
from typing import Protocol

from weft.kit.clock import Clock

_HALF = 1024 * 1024
_MOST_MARKS = 3600
_LOOKED_AT = 256 * 1024
_STAMP = re.compile(rb"^\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3})\]", re.MULTILINE)


class Source(Protocol):
    """A log that is read."""

    def end(self) -> int:
        """The position after the last byte."""
        ...

    def since(self, moment: float) -> int:
        """The position of what was written at a moment (seconds since the epoch) or after it."""
        ...

    def read(self, position: int, most: int) -> tuple[int, bytes]:
        """What is there, and the position at which it begins: a later one where something is gone."""
        ...


def last_lines(source: Source, lines: int) -> int:
    """The position of so many last lines."""
    end = source.end()
    begin, content = source.read(max(0, end - _LOOKED_AT), _LOOKED_AT)
    while begin + len(content) < end:
        _, more = source.read(begin + len(content), _LOOKED_AT)
        if not more:
            break
        content += more
    place = len(content) - 1 if content.endswith(b"\n") else len(content)
    for _ in range(lines):
        place = content.rfind(b"\n", 0, place)
        if place < 0:
            return begin
    return begin + place + 1


class Ring:
    """What is appended, the last one or two MiB of it. Threads may append; a disk that is full loses lines alone."""

    def __init__(self, path: Path, clock: Clock, half: int = _HALF) -> None:
        self._path = path
        self._old = path.with_name(f"{path.name}.1")
        self._clock = clock
        self._half = half
        self._turn = threading.Lock()
        self._old_size, self._size = _size(self._old), _size(path)
        self._base = self._old_size
        self._marks: deque[tuple[float, int]] = deque(maxlen=_MOST_MARKS)
        self._file = -1

    def append(self, piece: bytes) -> None:
        """Keep a piece."""
        with self._turn, contextlib.suppress(OSError):
            if self._size and self._size + len(piece) > self._half:
                self._turn_over()
            if self._file < 0:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
                self._file = os.open(self._path, flags, 0o600)
            now = self._clock.now()
            if not self._marks or now - self._marks[-1][0] >= 1:
                self._marks.append((now, self._base + self._size))
            self._size += os.write(self._file, piece)

    def end(self) -> int:
        """After all that was kept."""
        return self._base + self._size

    def since(self, moment: float) -> int:
        """By the second in which it was appended; of a time before this program, all of it."""
        with self._turn:
            marks = list(self._marks)
        if not marks or moment < marks[0][0]:
            return 0
        return next((position for at, position in marks if at >= moment), self.end())

    def read(self, position: int, most: int) -> tuple[int, bytes]:
        """From one of the two files."""
        with self._turn:
            position = max(position, self._base - self._old_size)
            if position < self._base:
                return position, _piece(self._old, position - (self._base - self._old_size), most)
            return position, _piece(self._path, position - self._base, most)

    def _turn_over(self) -> None:
        os.replace(self._path, self._old)
        if self._file >= 0:
            os.close(self._file)
        self._file = -1
        self._base, self._old_size, self._size = self._base + self._size, self._size, 0


class Written:
    """A file that another program writes, and that is emptied when it is large."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def end(self) -> int:
        """Its size."""
        return _size(self._path)

    def since(self, moment: float) -> int:
        """By the times that Envoy's lines begin with."""
        try:
            content = self._path.read_bytes()
        except OSError:
            return 0
        for found in _STAMP.finditer(content):
            if datetime.strptime(found[1].decode(), "%Y-%m-%d %H:%M:%S.%f").astimezone().timestamp() >= moment:
                return found.start()
        return len(content)

    def read(self, position: int, most: int) -> tuple[int, bytes]:
        """From its beginning where it was emptied."""
        position = position if position <= _size(self._path) else 0
        return position, _piece(self._path, position, most)


def _piece(path: Path, offset: int, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(most)
    except OSError:
        return b""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
