"""What would become of the mesh and of every proxy if documents were written; nothing is."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol

from weft.compiler.patches.sound import verdicts
from weft.compiler.resource import Preview, Previewed, Resources
from weft.linking import Documents, Linking
from weft.model.document import Document, Key
from weft.model.finding import Finding
from weft.model.identity import Identity
from weft.model.mesh import Mesh
from weft.model.settings import Settings
from weft.view.node import Node

REPORT = "please report it with the document; every sidecar keeps what it has"


class Machine(Protocol):
    """What is asked of the pipeline."""

    async def caught_up(self) -> None:
        """Wait until the newest documents are known. Raises ``StoreUnavailable``."""
        ...

    def stored(self) -> tuple[Documents, int]:
        """The documents that are known, and their revision."""
        ...

    def nodes(self) -> Iterable[Node]:
        """The connected proxies."""
        ...


class Candidates:
    """Links and compiles what is not written, and tells the difference."""

    def __init__(
        self, machine: Machine, linking: Linking, made: Callable[[Mesh, Node], Resources], settings: Settings
    ) -> None:
        self._machine = machine
        self._linking = linking
        self._made = made
        self._settings = settings

    async def review(
        self, candidate: Document | None, deleted: Key | None, published: Mesh | None
    ) -> tuple[Finding, ...]:
        """All that is found about the candidate, and what is new about everything else. Raises ``StoreUnavailable``."""
        about = candidate.key if candidate else deleted
        if about is not None and not self._linking.enters(about):
            return ()
        await self._machine.caught_up()
        stored, revision = self._machine.stored()
        documents = dict(stored)
        if deleted is not None:
            documents.pop(deleted, None)
        if candidate is not None:
            documents[candidate.key] = self._linking.reduced(candidate)
        try:
            if published is None or published.revision != revision:
                published = await self._linking.mesh_of(dict(stored), revision)
            mesh = await self._linking.mesh_of(documents, revision)
            known = set(published.findings)
        except Exception as bug:  # noqa: BLE001  a bug of ours refuses one write and disturbs nothing
            return (failure(bug, about),)
        own = candidate.key if candidate else None
        new = [one for one in mesh.findings if one not in known or (own is not None and one.document == own)]
        return (*new, *await self._compiled(mesh, about, self._linking.is_heavy(documents)))

    async def preview(self, changed: Sequence[Document], deleted: Collection[Key]) -> Preview:
        """What every connected proxy has and would have. Raises ``StoreUnavailable``."""
        await self._machine.caught_up()
        known, revision = self._machine.stored()
        stored = dict(known)
        wanted = {key: document for key, document in stored.items() if key not in deleted}
        wanted |= {one.key: self._linking.reduced(one) for one in changed if self._linking.enters(one.key)}
        before = await self._linking.mesh_of(stored, revision)
        after = await self._linking.mesh_of(wanted, revision)
        proxies = []
        for node in sorted(self._machine.nodes(), key=lambda one: one.id):
            has = await asyncio.to_thread(self._made, before, node)
            would = await asyncio.to_thread(self._made, after, node)
            proxies.append(Previewed(name=node.id, before=has, after=would))
        old = set(before.findings)
        findings = tuple(finding for finding in after.findings if finding not in old)
        return Preview(proxies=tuple(proxies), findings=findings)

    async def _compiled(self, mesh: Mesh, about: Key | None, large: bool) -> tuple[Finding, ...]:
        """What fails when every proxy's view, and that of a caller beside the document, is compiled.

        A patch that does not fit Envoy refuses its document, also when it is made to no proxy that there is.
        """
        found: dict[Finding, None] = {}
        for node in (*self._machine.nodes(), *_probe(about, self._settings)):
            try:
                resources = await asyncio.to_thread(self._made, mesh, node) if large else self._made(mesh, node)
            except Exception as bug:  # noqa: BLE001  what fails here would have failed for the proxy
                return (failure(bug, about),)
            found.update(dict.fromkeys(one for one in resources.findings if one.document in (None, about)))
            await asyncio.sleep(0)
        return (*verdicts(one for one in mesh.patches if one.origin.key == about), *found)


def failure(bug: Exception, about: Key | None) -> Finding:
    """What is told of a bug of ours."""
    message = f"weft cannot make a configuration of this: {type(bug).__name__}: {bug}"[:500]
    return Finding(code="W0150", message=message, document=about, help=REPORT)


def _probe(about: Key | None, settings: Settings) -> tuple[Node, ...]:
    """A caller in the document's namespace, so that a change is compiled even when nobody is connected."""
    if about is None or not about.namespace:
        return ()
    identity = Identity(trust_domain=settings.trust_domain, namespace=about.namespace, account="review")
    return (
        Node(
            id=f"review.{about.namespace}",
            namespace=about.namespace,
            workload="review",
            identity=identity,
            http_proxy=("127.0.0.1", 1),
        ),
    )
