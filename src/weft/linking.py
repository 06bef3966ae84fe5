"""From documents to the mesh, and whether making it would hold up the event loop."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from weft.dialects.fragment import Fragment
from weft.dialects.link_access import unknown_keys
from weft.dialects.link_credentials import ending
from weft.dialects.mesh_settings import Configured, mesh_config_key, settings_of
from weft.dialects.translate import enters_mesh, reduced
from weft.kit.clock import Clock
from weft.kit.memo import memo
from weft.kit.quiet import quiet
from weft.kit.runs import RUNS, Run, in_order, joined, runs_of
from weft.model.authentication import KeySet
from weft.model.document import Document, Key
from weft.model.mesh import Mesh
from weft.model.revocation import Revoked
from weft.model.settings import Settings

_LARGE = 64 * 1024
"""Bytes of documents from which their translation would hold up the event loop (some 1 ms for each KiB)."""
_MANY, _MUCH = 2_000, 256 * 1024
"""Documents, and bytes of documents, from which linking them and cutting views would."""

Documents = Mapping[Key, Document]


class Linker(Protocol):
    """Makes a mesh of fragments."""

    def __call__(self, fragments: tuple[Fragment, ...], settings: Settings, revision: int) -> Mesh: ...


Translate = Callable[[Document, Settings], Fragment]


class Linking:
    """Translates, with the settings that the mesh's configuration says, and links.

    A configuration that cannot be read leaves the last good one in place; ``published`` is told which mesh is it.
    """

    def __init__(self, settings: Settings, translate: Translate, link: Linker, clock: Clock) -> None:
        self._settings = settings
        self._last_good = settings
        self._mesh_config = mesh_config_key(settings)
        self._translate = translate
        self._link = link
        self._clock = clock
        self._published: Mesh | None = None
        self._translated: Documents = {}
        self._keys: tuple[KeySet, ...] = ()
        self._revoked = Revoked()

    def know(self, keys: tuple[KeySet, ...]) -> bool:
        """Make these the keys of token issuers that are known; whether that is news."""
        news, self._keys = keys != self._keys, keys
        return news

    def revoke(self, revoked: Revoked) -> bool:
        """Make these the certificates that count no more; whether that is news."""
        news, self._revoked = revoked != self._revoked, revoked
        return news

    def published(self, mesh: Mesh, documents: Documents) -> None:
        """This mesh, made of these documents, is served from now on."""
        self._published, self._translated = mesh, documents
        self._last_good = msgspec.structs.replace(mesh.settings, revoked=Revoked())

    def enters(self, key: Key) -> bool:
        """Whether a document has anything to say."""
        return enters_mesh(key) or key == self._mesh_config

    def reduced(self, document: Document) -> Document:
        """What means something to the mesh; the mesh's configuration means something as a whole."""
        if document.key == self._mesh_config:
            return Document(key=document.key, content=document.content, created=document.created)
        return reduced(document)

    async def mesh_of(self, documents: Documents, revision: int) -> Mesh:
        """The mesh of documents; beside the event loop when it takes long."""
        if not self.is_heavy(documents):
            return self._made(documents, revision)
        with quiet():
            return await asyncio.to_thread(self._made, dict(documents), revision)

    def is_heavy(self, documents: Documents) -> bool:
        """Whether there are many documents, a large one, or much that was not translated with these settings yet."""
        if len(documents) > _MANY or sum(len(one.content) for one in documents.values()) > _MUCH:
            return True
        known = self._translated
        if self._published is None or self._last_good != self._configured(documents).settings:
            known = {}
        fresh = sum(len(one.content) for key, one in documents.items() if known.get(key) is not one)
        return fresh > _LARGE or any(len(one.content) > _LARGE for one in documents.values())

    def _made(self, documents: Documents, revision: int) -> Mesh:
        configured = self._configured(documents)
        ordered = in_order(runs_of(documents.values()), _order)
        fragments = joined(_translated(run, self._translate, configured.settings) for run in ordered)
        linked = self._link(fragments, configured.settings, revision)
        mesh = msgspec.structs.replace(linked, keys=self._keys) if self._keys else linked
        if self._revoked:
            settings = msgspec.structs.replace(mesh.settings, revoked=self._revoked)
            mesh = msgspec.structs.replace(mesh, settings=settings)
        found = (*configured.findings, *ending(mesh, self._clock.now()), *unknown_keys(mesh))
        return msgspec.structs.replace(mesh, findings=(*mesh.findings, *found)) if found else mesh

    def _configured(self, documents: Documents) -> Configured:
        """The settings that hold with these documents."""
        return settings_of(documents.get(self._mesh_config), self._settings, self._last_good)


def _order(document: Document) -> tuple[str, str, str, str]:
    key = document.key
    return (key.group, key.kind, key.namespace, key.name)


@memo(RUNS)
def _translated(run: Run[Document], translate: Translate, settings: Settings) -> tuple[Fragment, ...]:
    return tuple(translate(document, settings) for document in run.items)
