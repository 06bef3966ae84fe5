"""The write path: draft (metadata's rules, the dialect's check), review of the whole mesh, then the store.

Whatever refuses a write refuses it before the store is touched.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from weft.api.drafts import Draft, Drafts, Edit, accepted, refuse_unconditional
from weft.api.errors import MODIFIED, ApiError, already_exists, conflict, forbidden, not_found
from weft.api.lists import Reader
from weft.api.namespaces import DEFAULT, is_namespace
from weft.api.options import WriteOptions
from weft.api.paths import Target
from weft.api.quotas import Quotas, Wanted
from weft.api.subjects import Subject
from weft.kit.value import Value
from weft.model.document import Document, Key
from weft.model.finding import Finding
from weft.store.source import Conflict, Store

Guard = Callable[[Subject, Document], Awaitable[None]]
"""Raises ``ApiError`` 403 for a document that this writer must not store, whatever verbs it has."""

Review = Callable[[Document | None, Key | None], tuple[Finding, ...] | Awaitable[tuple[Finding, ...]]]
"""What a change would add to the mesh's findings: the document that would be stored, or the key that would go."""

_ATTEMPTS = 5


class Written(Value):
    """What a write made, and what the writer should know."""

    document: Document
    created: bool = False
    warnings: tuple[Finding, ...] = ()


class Preconditions(Value):
    """What must hold of an object that is to be deleted; ``None`` for anything."""

    uid: str | None = None
    revision: int | None = None


class Writes:
    """Changes the store for clients. Every method may raise ``ApiError`` 400, 404, 409 and 422."""

    def __init__(
        self, store: Store, reader: Reader, drafts: Drafts, review: Review, guard: Guard, quotas: Quotas
    ) -> None:
        self._store = store
        self._quotas = quotas
        self._reader = reader
        self._guard = guard
        self._drafts = drafts
        self._review = review

    async def create(self, target: Target, content: Any, options: WriteOptions) -> Written:
        """Store a new object; when a generated name is taken, another one is generated."""
        for _ in range(_ATTEMPTS):
            draft = await asyncio.to_thread(self._drafts.created, target, content, options)
            try:
                return await self._store_new(_named(target, draft), draft, options)
            except ApiError as refusal:
                if refusal.reason != "AlreadyExists" or content["metadata"].get("name"):
                    raise
        raise _modified(target)

    async def update(self, target: Target, content: Any, options: WriteOptions) -> Written:
        """Replace an object."""
        refuse_unconditional(target, content)
        return await self.modify(target, lambda _: content, options)

    async def modify(self, target: Target, edit: Edit, options: WriteOptions) -> Written:
        """Change an object; when it changes meanwhile and the client did not say what it saw, again."""

        async def attempt() -> Written:
            current = await self._current(target)
            draft = await asyncio.to_thread(self._drafts.edited, target, current, edit, options)
            return await self._replace(target, draft, options)

        return await _again(target, attempt)

    async def apply(self, target: Target, declared: Any, options: WriteOptions) -> Written:
        """Server-side apply."""

        async def attempt() -> Written:
            current = await self._reader.one(target)
            if current is None and target.subresource:
                raise _missing(target)
            draft = await asyncio.to_thread(self._drafts.applied, target, current, declared, options)
            if current is None:
                return await self._store_new(target, draft, options)
            return await self._replace(target, draft, options)

        return await _again(target, attempt)

    async def delete(self, target: Target, preconditions: Preconditions, dry_run: bool, author: Subject) -> Written:
        """Remove an object, if the preconditions hold."""

        async def attempt() -> Written:
            current = await self._current(target)
            _refuse_other(target, current, preconditions)
            if is_namespace(target.resource):
                await self._refuse_used(target)
            elif not current.revision:
                await self._guard(author, current)
            warnings = await self._reviewed(target, None, target.key)
            if dry_run or not current.revision:
                return Written(document=current, warnings=warnings)
            deleted = await self._store.delete(target.key, current.revision)
            return Written(document=deleted, warnings=warnings)

        return await _again(target, attempt)

    async def _current(self, target: Target) -> Document:
        current = await self._reader.one(target)
        if current is None:
            raise _missing(target)
        return current

    async def _store_new(self, target: Target, draft: Draft, options: WriteOptions) -> Written:
        """A name that is taken is told before the mesh is asked: the answer would be about two of them."""
        if await self._store.read(target.key) is not None:
            raise already_exists(target.resource.kind.plural, target.resource.kind.group, target.name)
        async with self._quotas.room_for(target.namespace, Wanted(resource=target.resource, name=target.name)):
            warnings = await self._warnings(target, draft, options)
            document = draft.document
            if not options.dry_run:
                try:
                    document = await self._store.create(document)
                except Conflict:
                    kind = target.resource.kind
                    raise already_exists(kind.plural, kind.group, target.name) from None
        return Written(document=document, created=True, warnings=warnings)

    async def _replace(self, target: Target, draft: Draft, options: WriteOptions) -> Written:
        warnings = await self._warnings(target, draft, options)
        document = draft.document
        if not options.dry_run:
            seen = document.revision
            document = await (self._store.replace(document, seen) if seen else self._store.create(document))
        return Written(document=document, warnings=warnings)

    async def _warnings(self, target: Target, draft: Draft, options: WriteOptions) -> tuple[Finding, ...]:
        await self._guard(options.author, draft.document)
        return tuple(dict.fromkeys((*draft.warnings, *await self._reviewed(target, draft.document, None))))

    async def _reviewed(self, target: Target, candidate: Document | None, gone: Key | None) -> tuple[Finding, ...]:
        """What the whole mesh says of the change; its errors refuse."""
        findings = self._review(candidate, gone)
        if inspect.isawaitable(findings):
            findings = await findings
        return accepted(target, target.name, findings)

    async def _refuse_used(self, target: Target) -> None:
        """A namespace goes when nothing is in it: deleting what it holds is the user's decision, not a side effect."""
        if target.name == DEFAULT:
            raise forbidden("the namespace default cannot be deleted")
        snapshot = await self._store.snapshot()
        count = sum(document.key.namespace == target.name for document in snapshot.documents)
        if count:
            why = f"it still holds {count} object{'s' if count > 1 else ''}; delete them first"
            raise conflict(target.resource.kind.plural, "", target.name, why)


async def _again(target: Target, attempt: Callable[[], Awaitable[Written]]) -> Written:
    for _ in range(_ATTEMPTS):
        try:
            return await attempt()
        except Conflict:
            continue
    raise _modified(target)


def _named(target: Target, draft: Draft) -> Target:
    name = draft.document.key.name
    return Target(resource=target.resource, version=target.version, namespace=target.namespace, name=name)


def _refuse_other(target: Target, current: Document, preconditions: Preconditions) -> None:
    if preconditions.uid is not None and preconditions.uid != current.uid:
        why = f"Precondition failed: UID in precondition: {preconditions.uid[:64]}, UID in object meta: {current.uid}"
        raise conflict(target.resource.kind.plural, target.resource.kind.group, target.name, why)
    if preconditions.revision is not None and preconditions.revision != current.revision:
        raise _modified(target)


def _modified(target: Target) -> ApiError:
    return conflict(target.resource.kind.plural, target.resource.kind.group, target.name, MODIFIED)


def _missing(target: Target) -> ApiError:
    return not_found(target.resource.kind.plural, target.resource.kind.group, target.name)
