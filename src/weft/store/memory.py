"""A store that forgets everything with its process: for tests and for trying things out."""

from collections.abc import AsyncIterator

from weft.kit.clock import Clock, SystemClock
from weft.model.document import Document, Key, Snapshot
from weft.store.log import ChangeLog
from weft.store.source import Change, Record, Report, StoreUnavailable
from weft.store.tables import Documents, Records, creation, deletion, replacement, reporting


class MemoryStore:
    """The store's contract over two dictionaries."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._documents = Documents()
        self._clock = clock or SystemClock()
        self._records = Records(self._clock)
        self._log = ChangeLog()
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
        return self._commit(creation(document, self._documents.get(document.key), self._next()))

    async def replace(self, document: Document, expected: int | None) -> Document:
        """Overwrite a document. Raises ``Conflict``."""
        current = self._documents.get(document.key)
        change = replacement(document, current, expected, self._next())
        if change is None:
            assert current is not None
            return current
        return self._commit(change)

    async def delete(self, key: Key, expected: int | None) -> Document:
        """Remove a document. Raises ``Conflict``."""
        return self._commit(deletion(key, self._documents.get(key), expected, self._next()))

    async def report(self, reports: tuple[Report, ...]) -> None:
        """Write what the mesh found into the status of documents."""
        self._refuse_when_closed()
        now = self._clock.now()
        for report in reports:
            change = reporting(report, self._documents.get(report.key), self._next(), now)
            if change is not None:
                self._commit(change)

    def changes(self, since: int) -> AsyncIterator[Change]:
        """Every change after a revision, then each new one. Raises ``Compacted``."""
        return self._log.after(since)

    async def put_record(self, record: Record) -> None:
        """Write or overwrite a record."""
        self._refuse_when_closed()
        self._records.drop_expired()
        self._records.put(record)

    async def read_record(self, bucket: str, name: str) -> Record | None:
        """One record."""
        return self._records.get(bucket, name)

    async def take_record(self, bucket: str, name: str) -> Record | None:
        """Read and remove a record in one step."""
        self._refuse_when_closed()
        return self._records.remove(bucket, name)

    async def records(self, bucket: str) -> tuple[Record, ...]:
        """Every record of a bucket, by name."""
        return self._records.of(bucket)

    async def close(self) -> None:
        """Refuse further writes."""
        self._closed = True

    def _next(self) -> int:
        self._refuse_when_closed()
        return self._documents.revision + 1

    def _commit(self, change: Change) -> Document:
        self._documents.apply(change)
        self._log.append((change,))
        return change.document

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")
