"""Reading: one object, and lists in pages that all show the same revision.

A page's token names the list's revision; later pages are made from the newest snapshot with the changes since undone,
as far back as the store's log reaches (then 410, as in Kubernetes).
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing

import msgspec

from weft.api.builtin_roles import BuiltIn, documents_of
from weft.api.errors import bad_request, expired, from_the_future
from weft.api.namespaces import implied, is_namespace
from weft.api.options import ReadOptions
from weft.api.paths import Target
from weft.api.resources import EVENTS, Resource
from weft.kit.value import Value
from weft.model.document import Document, Key, Snapshot
from weft.store.source import Compacted, Store


class Page(Value):
    """Part of a list. ``token`` is empty on the last page; ``remaining`` is ``None`` when nobody counted."""

    documents: tuple[Document, ...]
    revision: int
    token: str = ""
    remaining: int | None = None


class Token(Value):
    """Where a list goes on."""

    revision: int
    namespace: str
    name: str


class Reader:
    """Answers reads from the store."""

    def __init__(
        self,
        store: Store,
        built_in: Sequence[BuiltIn] = (),
        events: Callable[[], tuple[Document, ...]] = tuple,
    ) -> None:
        self._store = store
        self._events = events
        self._built_in = built_in

    async def one(self, target: Target) -> Document | None:
        """One object; a namespace that is implied, or a role that is built in, has revision 0."""
        found = await self._store.read(target.key)
        if found is None and (not target.resource.kind.namespaced or target.resource == EVENTS):
            every = self._unwritten(await self._store.snapshot(), target.resource)
            return next((document for document in every if document.key == target.key), None)
        return found

    async def page(self, target: Target, options: ReadOptions) -> Page:
        """A list, or the part of it that the options ask for. Raises ``ApiError`` 400, 410 and 504."""
        token = decode_token(options.token) if options.token else None
        snapshot = await self.snapshot(options, token)
        chosen = self.chosen_of(snapshot, target, options)
        if token is not None:
            last = (token.namespace, token.name)
            chosen = [document for document in chosen if _place(document) > last]
        if not options.limit or len(chosen) <= options.limit:
            return Page(documents=tuple(chosen), revision=snapshot.revision)
        shown = tuple(chosen[: options.limit])
        end = shown[-1].key
        return Page(
            documents=shown,
            revision=snapshot.revision,
            token=encode_token(Token(revision=snapshot.revision, namespace=end.namespace, name=end.name)),
            remaining=None if options.selector.labels or options.selector.fields else len(chosen) - len(shown),
        )

    def chosen_of(self, snapshot: Snapshot, target: Target, options: ReadOptions) -> list[Document]:
        """The documents of a snapshot that a list shows, in its order."""
        stored = (document for document in snapshot.documents if target.resource.holds(document.key))
        every = (*stored, *self._unwritten(snapshot, target.resource))
        return sorted((document for document in every if selects(target, options, document)), key=_place)

    async def snapshot(self, options: ReadOptions, token: Token | None = None) -> Snapshot:
        """The snapshot that the options mean. Raises ``ApiError`` 410 and 504."""
        snapshot = await self._store.snapshot()
        wanted = token.revision if token else options.revision
        if wanted is not None and wanted > snapshot.revision:
            raise from_the_future(wanted, snapshot.revision)
        if token is not None:
            return await self._at(token.revision, snapshot)
        if options.exact and options.revision is not None:
            return await self._at(options.revision, snapshot)
        return snapshot

    def _unwritten(self, snapshot: Snapshot, resource: Resource) -> Iterable[Document]:
        """Objects that are there without having been written."""
        if is_namespace(resource):
            return implied(snapshot, resource)
        if resource.kind.kind == "ClusterRole":
            return documents_of(self._built_in, resource)
        if resource == EVENTS:
            return self._events()
        return ()

    async def _at(self, revision: int, snapshot: Snapshot) -> Snapshot:
        """The snapshot with everything after ``revision`` undone. Raises ``ApiError`` 410."""
        if revision == snapshot.revision:
            return snapshot
        before: dict[Key, Document | None] = {}
        try:
            async with aclosing(self._store.changes(revision)) as changes:  # type: ignore[type-var]
                async for change in changes:
                    before.setdefault(change.document.key, change.previous)
                    if change.document.revision >= snapshot.revision:
                        break
        except Compacted:
            raise expired("the provided resource version is too old to list from; list again") from None
        kept = (document for document in snapshot.documents if document.key not in before)
        restored = (document for document in before.values() if document is not None)
        return Snapshot(revision=revision, documents=(*kept, *restored))


def selects(target: Target, options: ReadOptions, document: Document) -> bool:
    """Whether a document of the right kind is in the namespace asked for and selected."""
    inside = not target.namespace or document.key.namespace == target.namespace
    return inside and options.selector.accepts(document)


def _place(document: Document) -> tuple[str, str]:
    return (document.key.namespace, document.key.name)


def encode_token(token: Token) -> str:
    """The token as clients carry it."""
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).decode().rstrip("=")


def decode_token(text: str) -> Token:
    """The token that ``encode_token`` made. Raises ``ApiError`` 400."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=Token)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise bad_request("continue key is not valid") from None
