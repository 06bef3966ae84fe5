"""A store whose secrets are sealed before any other store sees them: not the file, its log, nor its free pages.

The whole content is sealed, labels included: a Secret's metadata may hold its data once more (``kubectl apply`` keeps
what it sent). What it is called, its version and when it was made stay readable. Works over every store.
"""

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from weft.kit.sealing import Keyring, Unsealable, is_sealed
from weft.kit.value import Labels, Value
from weft.model.document import Document, Key, Snapshot
from weft.store.source import Change, Conflict, Record, Report, Store, StoreUnavailable

R = TypeVar("R")


class _Content(Value):
    """What is inside an envelope."""

    content: bytes
    labels: Labels


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(_Content).decode


def is_secret(key: Key) -> bool:
    """Whether documents of a kind are sealed: v1 Secrets."""
    return (key.group, key.kind) == ("", "Secret")


class Sealer:
    """Seals the documents that ``seals`` picks, and opens them."""

    def __init__(self, keyring: Keyring, seals: Callable[[Key], bool] = is_secret) -> None:
        self._keyring = keyring
        self._seals = seals

    def sealed(self, document: Document) -> Document:
        """The document as it may be written down; as it is if it is that already."""
        if not self._seals(document.key) or is_sealed(document.content):
            return document
        inside = _pack(_Content(content=document.content, labels=document.labels))
        return replace(document, content=self._keyring.seal(inside, _name(document.key)), labels=())

    def opened(self, document: Document) -> Document:
        """The document as it was. Raises ``Unsealable``."""
        if not self._seals(document.key) or not is_sealed(document.content):
            return document
        inside = _unpack(self._keyring.open(document.content, _name(document.key)))
        return replace(document, content=inside.content, labels=inside.labels)

    def renewed(self, document: Document) -> Document:
        """The document under the newest key: sealed if it was not, wrapped anew if another key did it, else as it is.

        Raises ``Unsealable``.
        """
        if not self._seals(document.key) or not is_sealed(document.content):
            return self.sealed(document)
        return replace(document, content=self._keyring.rewrapped(document.content, _name(document.key)))


def _name(key: Key) -> str:
    """What an envelope is bound to; no two keys give the same."""
    return msgspec.json.encode((key.group, key.kind, key.namespace, key.name)).decode()


class SealedStore:
    """The store's contract over another store."""

    def __init__(self, store: Store, sealer: Sealer) -> None:
        self._store = store
        self._sealer = sealer
        self._known: dict[Key, tuple[Document, Document]] = {}
        self._snapshot: tuple[Snapshot, Snapshot] | None = None

    async def revision(self) -> int:
        """The newest revision."""
        return await self._store.revision()

    async def snapshot(self) -> Snapshot:
        """Every document, at one revision."""
        found = await self._store.snapshot()
        if self._snapshot is None or self._snapshot[0] is not found:
            opened = tuple(self._opened(one) for one in found.documents)
            self._snapshot = (found, Snapshot(revision=found.revision, documents=opened))
        return self._snapshot[1]

    async def read(self, key: Key) -> Document | None:
        """One document."""
        found = await self._store.read(key)
        return self._opened(found) if found is not None else None

    async def create(self, document: Document) -> Document:
        """Store a new document. Raises ``Conflict``."""
        try:
            return self._opened(await self._store.create(self._sealer.sealed(document)))
        except Conflict as conflict:
            raise self._told(conflict) from None

    async def replace(self, document: Document, expected: int | None) -> Document:
        """Overwrite a document. Raises ``Conflict``.

        The same as stored is written as it is stored, and so is no write: two envelopes of it would differ.
        """
        current = await self._store.read(document.key)
        sealed = self._sealer.sealed(document)
        if sealed is not document and current is not None:
            before = self._opened(current)
            if (before.content, before.labels) == (document.content, document.labels):
                sealed = current
        try:
            return self._opened(await self._store.replace(sealed, expected))
        except Conflict as conflict:
            raise self._told(conflict) from None

    async def delete(self, key: Key, expected: int | None) -> Document:
        """Remove a document. Raises ``Conflict``."""
        try:
            gone = self._opened(await self._store.delete(key, expected))
        except Conflict as conflict:
            raise self._told(conflict) from None
        self._known.pop(key, None)
        return gone

    async def report(self, reports: tuple[Report, ...]) -> None:
        """Write what the mesh found; a sealed document has no status."""
        await self._store.report(reports)

    async def changes(self, since: int) -> AsyncIterator[Change]:
        """Every change after a revision, then each new one. Raises ``Compacted``."""
        async for change in self._store.changes(since):
            previous = self._opened(change.previous) if change.previous is not None else None
            yield replace(change, document=self._opened(change.document), previous=previous)

    async def put_record(self, record: Record) -> None:
        """Write or overwrite a record."""
        await self._store.put_record(record)

    async def read_record(self, bucket: str, name: str) -> Record | None:
        """One record."""
        return await self._store.read_record(bucket, name)

    async def take_record(self, bucket: str, name: str) -> Record | None:
        """Read and remove a record in one step."""
        return await self._store.take_record(bucket, name)

    async def records(self, bucket: str) -> tuple[Record, ...]:
        """Every record of a bucket, by name."""
        return await self._store.records(bucket)

    async def close(self) -> None:
        """Close the store below."""
        await self._store.close()

    def _opened(self, document: Document) -> Document:
        """Open an envelope once as long as its document stays. Raises ``StoreUnavailable`` for one that was spoiled."""
        if not is_sealed(document.content):
            return document
        known = self._known.get(document.key)
        if known is not None and known[0] == document:
            return known[1]
        try:
            opened = self._sealer.opened(document)
        except Unsealable as wrong:
            raise StoreUnavailable(f"{document.key} cannot be opened: {wrong}") from wrong
        self._known[document.key] = (document, opened)
        return opened

    def _told(self, conflict: Conflict) -> Conflict:
        current = conflict.current
        return Conflict(conflict.key, self._opened(current) if current is not None else None)
