"""The audit log: JSON lines in files, each with the hash of the line before it.

A line that was altered, removed or inserted breaks the chain from there on. The newest line's hash is also kept in the
store now and then, so that lines cut off at the end are missed too. The log is as trustworthy as the machine that
writes it: whoever can change both the files and the store can write another history; ship the lines elsewhere as well.
"""

import asyncio
import hashlib
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import msgspec
import structlog

from weft.kit.clock import Clock
from weft.kit.files import private_directory
from weft.kit.value import Value
from weft.model.audit import AuditEntry
from weft.model.record import Record

LARGEST = 32 * 1024 * 1024
"""Bytes of a file, after which the next one is begun."""
KEPT = 32
"""Files; the oldest goes when there would be more: a gigabyte."""
START = "0" * 64
_ANCHOR_SECONDS = 2.0
_BUCKET, _HEAD = "audit", "head"
_log = structlog.get_logger()


class Anchors(Protocol):
    """The part of a store in which the end of the log is kept."""

    async def put_record(self, record: Record) -> None:
        """Write or overwrite a record."""
        ...

    async def read_record(self, bucket: str, name: str) -> Record | None:
        """One record."""
        ...


class Head(Value):
    """The newest line: how many there were, and its hash."""

    number: int
    hash: str


class Broken(Value):
    """Where a log is not what was written."""

    file: str
    line: int
    problem: str


class Verdict(Value):
    """What verification found; ``broken`` is the first place, ``None`` when all is well."""

    lines: int
    files: int
    broken: Broken | None = None


Ship = Callable[[bytes], None]
"""Takes a copy of each line elsewhere; never waits."""


class AuditLog:
    """Appends to the newest file of a directory. Owned by one event loop; ``run`` anchors what ``write`` wrote."""

    def __init__(
        self, directory: Path, clock: Clock, anchors: Anchors, ships: tuple[Ship, ...] = (), head: str = _HEAD
    ) -> None:
        """``head`` names the end of this log among those in the store."""
        self._directory = directory
        self._name = head
        self._clock = clock
        self._anchors = anchors
        self._ships = ships
        private_directory(directory)
        self._head = _last(directory)
        self._anchored: Head | None = None
        self._file = self._open()
        self._full = False

    async def resume(self) -> None:
        """Go on where the store knows that the log ended, so that lines which went missing stay missing visibly."""
        known = await self._anchor()
        if known and (known.number > self._head.number):
            _log.error("the end of the audit log is missing", last=self._head.number, known=known.number)
            self._head = known
        self._anchored = known

    def write(self, entry: AuditEntry) -> None:
        """Append an entry. A disk that is full is logged, once, and stops nothing."""
        content = _content(entry, self._head.number + 1, self._clock.now())
        line, digest = chained(content, self._head.hash)
        try:
            if self._file.tell() + len(line) > LARGEST:
                self._turn()
            self._file.write(line)
            self._file.flush()
            self._full = False
        except OSError as failure:
            if not self._full:
                _log.error("the audit log cannot be written", error=str(failure))
            self._full = True
            return
        self._head = Head(number=self._head.number + 1, hash=digest)
        for ship in self._ships:
            ship(line)

    async def run(self) -> None:
        """Keep the end of the log in the store."""
        while True:
            await asyncio.sleep(_ANCHOR_SECONDS)
            await self.anchor()

    async def anchor(self) -> None:
        """Put what was written on the disk and its end in the store."""
        head = self._head
        if not head.number or head == self._anchored:
            return
        await asyncio.to_thread(os.fsync, self._file.fileno())
        await self._anchors.put_record(Record(bucket=_BUCKET, name=self._name, value=msgspec.json.encode(head)))
        self._anchored = head

    async def verify(self) -> Verdict:
        """Read every line and compare; beside the event loop."""
        await self.anchor()
        return await asyncio.to_thread(verify, self._directory, await self._anchor())

    async def _anchor(self) -> Head | None:
        record = await self._anchors.read_record(_BUCKET, self._name)
        return msgspec.json.decode(record.value, type=Head) if record else None

    def newest_first(self, wanted: Callable[[dict[str, Any]], bool], limit: int) -> list[dict[str, Any]]:
        """The newest entries that are wanted, at most ``limit``; reads the files backwards (run it in a thread)."""
        found: list[dict[str, Any]] = []
        for path in reversed(files(self._directory)):
            for line in reversed(path.read_bytes().splitlines()):
                entry = _parsed(line)
                if entry is not None and wanted(entry):
                    found.append(entry)
                    if len(found) == limit:
                        return found
        return found

    def close(self) -> None:
        """Put everything on the disk and let go of the file."""
        os.fsync(self._file.fileno())
        self._file.close()

    def _open(self) -> BinaryIO:
        present = files(self._directory)
        path = present[-1] if present else self._directory / _name(self._head.number + 1)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        file = os.fdopen(descriptor, "ab")
        file.seek(0, os.SEEK_END)
        return file

    def _turn(self) -> None:
        """Begin the next file."""
        self.close()
        (self._directory / _name(self._head.number + 1)).touch(0o600)
        for old in files(self._directory)[:-KEPT]:
            old.unlink()
        self._file = self._open()


def chained(content: dict[str, Any], previous: str) -> tuple[bytes, str]:
    """A line for the log and its hash, which is over the line without the hash."""
    content = content | {"previous": previous}
    digest = hashlib.sha256(_canonical(content)).hexdigest()
    return _canonical(content | {"hash": digest}) + b"\n", digest


def verify(directory: Path, anchor: Head | None) -> Verdict:
    """Whether the files of a directory are the lines that were written, as far as ``anchor`` knows them."""
    lines, number, seen = 0, 0, False
    present = files(directory)
    previous = None if len(present) >= KEPT else START
    for path in present:
        for index, line in enumerate(path.read_bytes().splitlines(), start=1):
            problem = _problem(line, previous, number)
            if problem:
                return _verdict(lines, present, path, index, problem)
            entry = json.loads(line)
            previous, number, lines = entry["hash"], entry["n"], lines + 1
            if anchor and number == anchor.number:
                seen = True
                if previous != anchor.hash:
                    return _verdict(lines, present, path, index, "the store knows another line of this number")
    if anchor and anchor.number and not seen:
        last = present[-1] if present else directory
        return _verdict(lines, present, last, lines, f"the store knows of line {anchor.number}, which is not there")
    return Verdict(lines=lines, files=len(present))


def _problem(line: bytes, previous: str | None, number: int) -> str:
    entry = _parsed(line)
    if entry is None or type(entry.get("n")) is not int:
        return "this is no line of an audit log"
    digest = entry.pop("hash", "")
    if hashlib.sha256(_canonical(entry)).hexdigest() != digest:
        return "the line was altered"
    if previous is None:  # the files before it are gone because they were old
        return ""
    if entry.get("previous") != previous or entry.get("n") != number + 1:
        return f"the line before it is not line {entry.get('n', 0) - 1}: something was removed or inserted"
    return ""


def _verdict(lines: int, present: list[Path], path: Path, index: int, problem: str) -> Verdict:
    return Verdict(lines=lines, files=len(present), broken=Broken(file=path.name, line=index, problem=problem))


def files(directory: Path) -> list[Path]:
    """The files of a log, oldest first."""
    return sorted(directory.glob("audit-*.jsonl"))


def _name(number: int) -> str:
    return f"audit-{number:012d}.jsonl"


def _last(directory: Path) -> Head:
    """The newest whole line; one that was cut off by a crash is ended, and verification tells of it."""
    for path in reversed(files(directory)):
        content = path.read_bytes()
        if content and not content.endswith(b"\n"):
            kept = content[: content.rfind(b"\n") + 1]
            os.truncate(path, len(kept))
            content = kept
        for line in reversed(content.splitlines()):
            entry = _parsed(line)
            if entry is not None and isinstance(entry.get("n"), int):
                return Head(number=entry["n"], hash=str(entry.get("hash", START)))
    return Head(number=0, hash=START)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _content(entry: AuditEntry, number: int, now: float) -> dict[str, Any]:
    time = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told = {name: value for name, value in msgspec.to_builtins(entry).items() if value not in ("", 0, (), [])}
    return {"n": number, "time": time} | told


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
