"""The contract of a store: documents with optimistic concurrency and a log of changes, and small private records.

Revisions are one global counter that grows by one with every document write. A write that was answered survives a
``kill -9``. Every method may raise ``StoreUnavailable``; reads keep working while only writes are impossible.
"""

from collections.abc import AsyncIterator
from enum import Enum
from typing import Protocol

from weft.kit.errors import WeftError
from weft.kit.value import Value
from weft.model.document import Document, Key, Snapshot
from weft.model.finding import Finding
from weft.model.record import Record as Record
from weft.model.standing import Standing


class StoreUnavailable(WeftError):
    """The store cannot do this now (disk full, database away); nothing was changed."""


class Conflict(WeftError):
    """Another revision is stored than the writer saw, or the document exists already or not at all.

    ``current`` is what is stored, ``None`` when nothing is.
    """

    def __init__(self, key: Key, current: Document | None) -> None:
        super().__init__(f"{key} is at revision {current.revision if current else 'none'}")
        self.key = key
        self.current = current


class Compacted(WeftError):
    """The log of changes no longer reaches back that far; list again (HTTP 410)."""


class ChangeKind(Enum):
    """What happened to a document."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


class Change(Value):
    """One entry of the log. ``document.revision`` is the change's; a deletion carries the last content.

    ``previous`` is the document before (``None`` when added): a watch with a selector needs it to tell a departure.
    """

    kind: ChangeKind
    document: Document
    previous: Document | None = None


class Report(Value):
    """What the mesh found about one document; becomes its status, never its spec.

    A document that has a ``standing`` is told that instead of the findings, which say the same in other words.
    """

    key: Key
    findings: tuple[Finding, ...]
    standing: Standing | None = None


class Store(Protocol):
    """What every store does. The revision of a new store is 0; the first write makes 1."""

    async def revision(self) -> int:
        """The newest revision."""
        ...

    async def snapshot(self) -> Snapshot:
        """Every document, at one revision."""
        ...

    async def read(self, key: Key) -> Document | None:
        """One document."""
        ...

    async def create(self, document: Document) -> Document:
        """Store a new document and return it with its revision. Raises ``Conflict`` when the key is taken."""
        ...

    async def replace(self, document: Document, expected: int | None) -> Document:
        """Overwrite a stored document. Raises ``Conflict`` when it is gone or not at revision ``expected`` (if given).

        The same content and labels as stored is no write: the stored document is returned.
        """
        ...

    async def delete(self, key: Key, expected: int | None) -> Document:
        """Remove a document and return its last content, ``revision`` being the deletion's. Raises ``Conflict``."""
        ...

    async def report(self, reports: tuple[Report, ...]) -> None:
        """Write what the mesh found into ``status.conditions`` (type ``Accepted``); never changes a specification.

        Each document that says something new gets a revision of its own, all of them in one step; one that is gone,
        says it already, or has no findings and never had any is not written.
        """
        ...

    def changes(self, since: int) -> AsyncIterator[Change]:
        """Every change after revision ``since``, in order, then each new one as it comes; never ends by itself.

        Raises ``Compacted`` when the log does not reach back to ``since``. At least the last 10,000 changes are kept.
        """
        ...

    async def put_record(self, record: Record) -> None:
        """Write or overwrite a record."""
        ...

    async def read_record(self, bucket: str, name: str) -> Record | None:
        """One record."""
        ...

    async def take_record(self, bucket: str, name: str) -> Record | None:
        """Read and remove a record in one step: of many callers at once, exactly one gets it."""
        ...

    async def records(self, bucket: str) -> tuple[Record, ...]:
        """Every record of a bucket, by name."""
        ...

    async def close(self) -> None:
        """Finish what was begun and let go of files and connections."""
        ...
