"""A store whose services have virtual addresses: whoever writes a Service or a ServiceEntry, it gets those it lacks.

They are written with the document itself, so that they are never there without it and last as it does.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import msgspec

from weft.model.document import Document, Key, Snapshot
from weft.model.record import Record
from weft.store.source import Change, Report, Store, StoreUnavailable
from weft.store.virtual_addresses import AddressBook, Content, completed, stated

Complete = Callable[[Document, Content], Content]
"""A document's content with what an API server would add to it; only asked for documents that get addresses."""

_KINDS = (("", "Service"), ("networking.istio.io", "ServiceEntry"))
_encode = msgspec.json.Encoder(order="sorted").encode


class AddressedStore:
    """Another store with addresses; see ``addressed``."""

    def __init__(self, inner: Store, complete: Complete) -> None:
        self._inner = inner
        self._complete = complete
        self._book = AddressBook()

    async def load(self) -> None:
        """Learn the addresses that there are; what was stored without them gets them now."""
        documents = [one for one in (await self._inner.snapshot()).documents if _concerns(one.key)]
        for document in documents:
            self._learn(document)
        with suppress(StoreUnavailable):
            for document in documents:
                wanted = self._with_addresses(document, document)
                if wanted.content != document.content:
                    await self._inner.replace(wanted, document.revision)

    async def revision(self) -> int:
        """The newest revision."""
        return await self._inner.revision()

    async def snapshot(self) -> Snapshot:
        """Every document."""
        return await self._inner.snapshot()

    async def read(self, key: Key) -> Document | None:
        """One document."""
        return await self._inner.read(key)

    async def create(self, document: Document) -> Document:
        """Store a new document, with addresses."""
        return await self._inner.create(self._with_addresses(document, None))

    async def replace(self, document: Document, expected: int | None) -> Document:
        """Overwrite a document; what it leaves out of its addresses stays."""
        if not _concerns(document.key):
            return await self._inner.replace(document, expected)
        previous = await self._inner.read(document.key)
        return await self._inner.replace(self._with_addresses(document, previous), expected)

    async def delete(self, key: Key, expected: int | None) -> Document:
        """Remove a document; its addresses are free again."""
        deleted = await self._inner.delete(key, expected)
        if _concerns(key):
            self._book.note(key, {})
        return deleted

    async def report(self, reports: tuple[Report, ...]) -> None:
        """Write what the mesh found."""
        await self._inner.report(reports)

    def changes(self, since: int) -> AsyncIterator[Change]:
        """Every change after a revision."""
        return self._inner.changes(since)

    async def put_record(self, record: Record) -> None:
        """Write a record."""
        await self._inner.put_record(record)

    async def read_record(self, bucket: str, name: str) -> Record | None:
        """One record."""
        return await self._inner.read_record(bucket, name)

    async def take_record(self, bucket: str, name: str) -> Record | None:
        """Read and remove a record."""
        return await self._inner.take_record(bucket, name)

    async def records(self, bucket: str) -> tuple[Record, ...]:
        """Every record of a bucket."""
        return await self._inner.records(bucket)

    async def close(self) -> None:
        """Let go of everything."""
        await self._inner.close()

    def _with_addresses(self, document: Document, previous: Document | None) -> Document:
        """The document with its addresses, noted as its own even when the write fails: it may be tried again."""
        content = _content(document) if _concerns(document.key) else None
        if content is None:
            return document
        made = self._complete(document, content)
        made, claims = completed(document.key, made, _content(previous) if previous else None, self._book)
        self._book.note(document.key, claims)
        return document if made == content else msgspec.structs.replace(document, content=_encode(made))

    def _learn(self, document: Document) -> None:
        content = _content(document)
        if content is not None:
            self._book.note(document.key, stated(document.key, content))


async def addressed(inner: Store, complete: Complete) -> Store:
    """A store whose Services and ServiceEntries have virtual addresses."""
    store = AddressedStore(inner, complete)
    await store.load()
    return store


def _concerns(key: Key) -> bool:
    return (key.group, key.kind) in _KINDS


def _content(document: Document) -> Content | None:
    try:
        decoded = msgspec.json.decode(document.content)
    except (msgspec.DecodeError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) else None
