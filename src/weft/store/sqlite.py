"""The embedded store: one SQLite file (WAL), owned by one control plane.

Reads are answered from memory and therefore work while the disk is full or the file is locked; writes are answered
when their transaction is on the disk. docs/decisions/0003-sqlite-through-the-standard-library.md has the reasons.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from weft.kit.clock import Clock, SystemClock
from weft.kit.errors import UserError
from weft.kit.sealing import Unsealable
from weft.kit.value import Value
from weft.model.document import Document, Key, Snapshot
from weft.store import schema
from weft.store.log import KEPT_CHANGES, ChangeLog
from weft.store.resealing import reseal
from weft.store.sealed import Sealer
from weft.store.source import Change, Compacted, Record, Report
from weft.store.tables import Documents, Records, creation, deletion, replacement, reporting
from weft.store.writer import Writer

_BUSY_TIMEOUT = 5.0
_IN_MEMORY = 1_000
"""How many changes are kept in memory; older ones are read from the file."""
_PRUNE_EVERY = 1_000


class _Content(Value):
    """What a file held when it was opened."""

    revision: int
    documents: tuple[Document, ...]
    records: tuple[Record, ...]


async def open_sqlite(
    path: Path, clock: Clock | None = None, busy_timeout: float = _BUSY_TIMEOUT, sealer: Sealer | None = None
) -> "SqliteStore":
    """Open the store in a file, which is created (with its directory) if it is not there.

    ``busy_timeout`` is in seconds. With a ``sealer`` whatever is in the file is brought under its newest key first;
    the store above it (``SealedStore``) opens it. ``UserError`` says why a file cannot be used, ``Unsealable`` that
    something in it does not open.
    """
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="weft-store")
    loop = asyncio.get_running_loop()
    try:
        lock, connection, content = await loop.run_in_executor(executor, _open, path, busy_timeout, sealer)
    except BaseException:
        executor.shutdown(wait=False)
        raise
    return SqliteStore(Writer(connection, executor), lock, content, clock or SystemClock())


def _open(path: Path, busy_timeout: float, sealer: Sealer | None) -> tuple[int, sqlite3.Connection, _Content]:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = schema.lock_file(path)
    except OSError as failure:
        raise _unusable(path, failure.strerror or str(failure)) from failure
    try:
        return (lock, *_load(path, busy_timeout, sealer))
    except BaseException:
        os.close(lock)
        raise


def _load(path: Path, busy_timeout: float, sealer: Sealer | None) -> tuple[sqlite3.Connection, _Content]:
    connection = None
    try:
        connection = schema.connect(path, busy_timeout)
        if sealer is not None:
            reseal(connection, sealer)
        content = _Content(
            revision=schema.read_counter(connection),
            documents=schema.read_documents(connection),
            records=schema.read_records(connection),
        )
    except (OSError, sqlite3.Error) as failure:
        if connection is not None:
            connection.close()
        raise _why(path, failure) from failure
    except Unsealable:
        assert connection is not None
        connection.close()
        raise
    return connection, content


def _why(path: Path, failure: OSError | sqlite3.Error) -> UserError:
    if isinstance(failure, OSError):
        return _unusable(path, failure.strerror or str(failure))
    if isinstance(failure, sqlite3.OperationalError):
        return _unusable(path, str(failure))
    return schema.corrupt(path)


def _unusable(path: Path, reason: str) -> UserError:
    return UserError(
        f"the store {path} cannot be opened: {reason.lower()}",
        help="check the directory's owner, its permissions and the free space on its disk",
    )


class SqliteStore:
    """The store's contract over a SQLite file; made by ``open_sqlite``."""

    def __init__(self, writer: Writer, lock: int, content: _Content, clock: Clock) -> None:
        self._writer = writer
        self._lock = lock
        self._clock = clock
        self._documents = Documents(content.revision, content.documents)
        self._records = Records(clock, content.records)
        self._log = ChangeLog(content.revision, _IN_MEMORY, self._older)
        self._closed = False

    async def revision(self) -> int:
        """The newest revision."""
        return self._documents.revision

    async def snapshot(self) -> Snapshot:
        """Every document, at one revision."""
        return self._documents.snapshot()

    async def read(self, key: Key) -> Document | None:
        """One document."""
        return self._documents.get(key)

    async def create(self, document: Document) -> Document:
        """Store a new document. Raises ``Conflict``."""
        return await self._change(document.key, lambda current, revision: creation(document, current, revision))

    async def replace(self, document: Document, expected: int | None) -> Document:
        """Overwrite a document. Raises ``Conflict``."""
        return await self._change(
            document.key, lambda current, revision: replacement(document, current, expected, revision)
        )

    async def delete(self, key: Key, expected: int | None) -> Document:
        """Remove a document. Raises ``Conflict``."""
        return await self._change(key, lambda current, revision: deletion(key, current, expected, revision))

    async def report(self, reports: tuple[Report, ...]) -> None:
        """Write what the mesh found into the status of documents, in one transaction."""
        now = self._clock.now()

        def make(connection: sqlite3.Connection) -> tuple[Change, ...]:
            revision = schema.read_counter(connection)
            changes: list[Change] = []
            for report in reports:
                current = schema.read_document(connection, report.key)
                change = reporting(report, current, revision + len(changes) + 1, now)
                if change is not None:
                    _write(connection, change)
                    changes.append(change)
            return tuple(changes)

        if reports:
            await self._writer.write(make, self._seen_all)

    def changes(self, since: int) -> AsyncIterator[Change]:
        """Every change after a revision, then each new one. Raises ``Compacted``."""
        return self._log.after(since)

    async def put_record(self, record: Record) -> None:
        """Write or overwrite a record."""
        now = self._clock.now()

        def then(_: None) -> None:
            self._records.drop_expired()
            self._records.put(record)

        await self._writer.write(lambda connection: schema.write_record(connection, record, now), then)

    async def read_record(self, bucket: str, name: str) -> Record | None:
        """One record."""
        return self._records.get(bucket, name)

    async def take_record(self, bucket: str, name: str) -> Record | None:
        """Read and remove a record in one step."""

        def then(_: Record | None) -> None:
            self._records.remove(bucket, name)

        record = await self._writer.write(lambda connection: schema.remove_record(connection, bucket, name), then)
        return record if record and self._records.lives(record) else None

    async def records(self, bucket: str) -> tuple[Record, ...]:
        """Every record of a bucket, by name."""
        return self._records.of(bucket)

    async def close(self) -> None:
        """Commit what was begun, then let go of the file."""
        if self._closed:
            return
        self._closed = True
        await self._writer.close()
        os.close(self._lock)

    async def _change(self, key: Key, decide: "_Decide") -> Document:
        def make(connection: sqlite3.Connection) -> Change | Document:
            current = schema.read_document(connection, key)
            change = decide(current, schema.read_counter(connection) + 1)
            if change is None:
                assert current is not None
                return current
            _write(connection, change)
            return change

        done = await self._writer.write(make, self._seen)
        return done.document if isinstance(done, Change) else done

    def _seen(self, done: Change | Document) -> None:
        if isinstance(done, Change):
            self._seen_all((done,))

    def _seen_all(self, changes: tuple[Change, ...]) -> None:
        for change in changes:
            self._documents.apply(change)
        self._log.append(changes)

    async def _older(self, since: int, limit: int) -> Sequence[Change]:
        changes = await self._writer.read(lambda connection: schema.read_changes(connection, since, limit))
        if not changes or changes[0].document.revision != since + 1:
            raise Compacted(f"changes after revision {since} are no longer kept")
        return changes


def _write(connection: sqlite3.Connection, change: Change) -> None:
    schema.write_change(connection, change)
    if change.document.revision % _PRUNE_EVERY == 0:
        schema.prune_changes(connection, change.document.revision - KEPT_CHANGES)


_Decide = Callable[[Document | None, int], Change | None]
