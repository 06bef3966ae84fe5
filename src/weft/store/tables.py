"""What a store holds, in memory: documents and records by key.

The memory store is little more than this; the SQLite store answers its reads from it, so that they keep working while
writes are impossible.
"""

from collections.abc import Iterable

from weft.kit.clock import Clock
from weft.model.document import Document, Key, Snapshot
from weft.store.reports import reported, stood
from weft.store.source import Change, ChangeKind, Conflict, Record, Report


class Documents:
    """Documents by key, and the snapshot of them, made once for each revision."""

    def __init__(self, revision: int = 0, documents: Iterable[Document] = ()) -> None:
        self._revision = revision
        self._documents = {document.key: document for document in documents}
        self._snapshot: Snapshot | None = None

    @property
    def revision(self) -> int:
        """The newest revision."""
        return self._revision

    def get(self, key: Key) -> Document | None:
        """One document."""
        return self._documents.get(key)

    def snapshot(self) -> Snapshot:
        """Every document at the newest revision."""
        if self._snapshot is None:
            self._snapshot = Snapshot(revision=self._revision, documents=tuple(self._documents.values()))
        return self._snapshot

    def apply(self, change: Change) -> None:
        """Make one change that was decided."""
        document = change.document
        if change.kind is ChangeKind.DELETED:
            self._documents.pop(document.key, None)
        else:
            self._documents[document.key] = document
        self._revision = document.revision
        self._snapshot = None


class Records:
    """Records by bucket and name; one that has expired does not exist."""

    def __init__(self, clock: Clock, records: Iterable[Record] = ()) -> None:
        self._clock = clock
        self._records = {(record.bucket, record.name): record for record in records}

    def get(self, bucket: str, name: str) -> Record | None:
        """One record that has not expired."""
        record = self._records.get((bucket, name))
        return record if record and self.lives(record) else None

    def put(self, record: Record) -> None:
        """Write or overwrite a record."""
        self._records[record.bucket, record.name] = record

    def remove(self, bucket: str, name: str) -> Record | None:
        """Remove a record; it is returned if it had not expired."""
        record = self._records.pop((bucket, name), None)
        return record if record and self.lives(record) else None

    def of(self, bucket: str) -> tuple[Record, ...]:
        """Those of a bucket that have not expired, by name."""
        found = (record for record in self._records.values() if record.bucket == bucket and self.lives(record))
        return tuple(sorted(found, key=lambda record: record.name))

    def drop_expired(self) -> None:
        """Forget what has expired."""
        self._records = {key: record for key, record in self._records.items() if self.lives(record)}

    def lives(self, record: Record) -> bool:
        """Whether a record has not expired."""
        return record.expires is None or record.expires > self._clock.now()


def creation(document: Document, current: Document | None, revision: int) -> Change:
    """The change that stores a new document. Raises ``Conflict``."""
    if current is not None:
        raise Conflict(document.key, current)
    return Change(kind=ChangeKind.ADDED, document=at(document, revision))


def replacement(document: Document, current: Document | None, expected: int | None, revision: int) -> Change | None:
    """The change that overwrites a document, ``None`` when it would change nothing. Raises ``Conflict``."""
    current = _expected(document.key, current, expected)
    if (current.content, current.labels) == (document.content, document.labels):
        return None
    return Change(kind=ChangeKind.MODIFIED, document=at(document, revision), previous=current)


def reporting(report: Report, current: Document | None, revision: int, now: float) -> Change | None:
    """The change that puts a report into a document's status, ``None`` when it would change nothing."""
    document = _told(report, current, now) if current is not None else None
    if document is None:
        return None
    return Change(kind=ChangeKind.MODIFIED, document=at(document, revision), previous=current)


def _told(report: Report, current: Document, now: float) -> Document | None:
    if report.standing is not None:
        return stood(current, report.standing, now)
    return reported(current, report.findings, now)


def deletion(key: Key, current: Document | None, expected: int | None, revision: int) -> Change:
    """The change that removes a document. Raises ``Conflict``."""
    current = _expected(key, current, expected)
    return Change(kind=ChangeKind.DELETED, document=at(current, revision), previous=current)


def _expected(key: Key, current: Document | None, expected: int | None) -> Document:
    if current is None or (expected is not None and current.revision != expected):
        raise Conflict(key, current)
    return current


def at(document: Document, revision: int) -> Document:
    """The document, last written at ``revision``."""
    return Document(
        key=document.key,
        content=document.content,
        revision=revision,
        created=document.created,
        uid=document.uid,
        labels=document.labels,
    )
