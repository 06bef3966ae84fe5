"""The machine on one page: watch the store, translate and link into a mesh, cut and compile one view per proxy.

Data flows one way. A store that is away leaves the last good mesh in place; a document that cannot be translated is a
finding; a proxy whose view cannot be made keeps what it has. Before the first complete snapshot nobody is answered.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import suppress
from typing import Protocol

import msgspec
import structlog

from weft.candidates import REPORT, Candidates, failure
from weft.compiler.resource import Preview, Resources
from weft.compiler.resources import resources_of
from weft.dialects.fragment import Fragment
from weft.dialects.link import link
from weft.dialects.link_credentials import next_change
from weft.dialects.translate import fragment_of
from weft.kit.clock import Clock, SystemClock
from weft.kit.errors import PeerError
from weft.kit.latest import Latest
from weft.kit.quiet import quiet
from weft.kit.tasks import tasks
from weft.kit.value import Value
from weft.linking import Documents, Linker, Linking
from weft.model.authentication import KeySet
from weft.model.document import Document, Key
from weft.model.finding import Finding
from weft.model.identity import Identity
from weft.model.mesh import Mesh
from weft.model.revocation import Revoked
from weft.model.settings import Settings
from weft.store.source import Change, ChangeKind, Compacted, Store, StoreUnavailable
from weft.view.build import view_of
from weft.view.node import Node, parse_node
from weft.view.view import View
from weft.xds.errors import NotReady, Refused
from weft.xds.introduction import Introduction

_log = structlog.get_logger()
_CATCH_UP = 2.0
_RBAC = "rbac.authorization.k8s.io"
"""Roles and bindings: they enter no mesh, and say which proxies may have the keys that it names."""
_AT_ONCE = 500
"""Documents that are looked at before others have their turn on the event loop."""
_LONGEST_WAIT = 3600.0
"""Seconds after which the time is looked at, whatever a clock did meanwhile."""


class Pace(Value):
    """Seconds: the window in which changes are collected, and the pauses before asking an absent store again."""

    window: float = 0.05
    first_pause: float = 0.1
    longest_pause: float = 5.0


class AddSecrets(Protocol):
    """Adds what the resources name to those of the one proxy that may have it; ``last`` is what it has."""

    async def __call__(self, resources: Resources, node: Node, last: Resources | None) -> Resources: ...


Alter = Callable[[Resources, Node], Resources]
"""Changes the resources of one proxy for a while; quick, and the same object where there is nothing to change."""


class Stages(Value):
    """The pure functions that the pipeline puts in a row."""

    fragment_of: Callable[[Document, Settings], Fragment] = fragment_of
    link: Linker = link
    view_of: Callable[[Mesh, Node], View] = view_of
    resources_of: Callable[[View], Resources] = resources_of


class Pipeline:
    """From the store's documents to every proxy's resources; ``latest`` is the newest mesh."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        stages: Stages | None = None,
        pace: Pace | None = None,
        secrets: AddSecrets | None = None,
        clock: Clock | None = None,
        alter: Alter | None = None,
    ) -> None:
        self.latest: Latest[Mesh] = Latest()
        self._store = store
        self._stages = stages or Stages()
        self._pace = pace or Pace()
        self._secrets = secrets
        self._alter = alter or (lambda resources, _: resources)
        self._served: Latest[Mesh] = Latest()
        """The newest mesh, set also when nothing but what ``alter`` does has changed."""
        self._clock = clock or SystemClock()
        self._documents: dict[Key, Document] = {}
        self._read: Latest[int] = Latest()
        self._changed = asyncio.Event()
        self._heavy = False
        self._compiling = asyncio.Lock()
        self._nodes: Counter[Node] = Counter()
        self._reached: dict[int, int] = {}
        """By stream, the revision whose resources it was given."""
        self._roles = 0
        """Grows with every change of who may read what."""
        self._linking = Linking(settings, self._stages.fragment_of, self._stages.link, self._clock)
        self._candidates = Candidates(self, self._linking, self._made, settings)

    def know(self, keys: tuple[KeySet, ...]) -> None:
        """Make these the keys of token issuers that are known."""
        if self._linking.know(keys):
            self._changed.set()

    def revoke(self, revoked: Revoked) -> None:
        """Make these the certificates that count no more."""
        if self._linking.revoke(revoked):
            self._changed.set()

    async def run(self) -> None:
        """Follow the store until cancelled."""
        async with tasks() as group:
            group.start(self._publish(), "pipeline publish")
            await self._follow()

    async def subscribe(self, introduction: Introduction) -> AsyncGenerator[Resources, None]:
        """One proxy's resources, newest first, for ever. Raises ``Refused`` and ``NotReady``."""
        node = self._admit(introduction)
        self._nodes[node] += 1
        try:
            last: Resources | None = None
            sent: Resources | None = None
            seen: Mesh | None = None
            roles = 0
            async for mesh in self._served:
                rights_moved = roles != self._roles and last is not None and bool(last.secrets)
                if last is None or seen is None or rights_moved or not _made_of(seen, mesh):
                    seen, roles = mesh, self._roles
                    resources = await self._resources(mesh, node, last)
                    if self._secrets is not None and resources.secrets:
                        resources = await self._secrets(resources, node, last)
                    last = resources
                altered = self._alter(last, node)
                if altered is not sent and altered != sent:
                    sent = altered
                    yield altered
                self._reached[id(introduction)] = mesh.revision
        finally:
            self._reached.pop(id(introduction), None)
            self._nodes -= Counter([node])

    def reached(self, introduction: Introduction) -> int:
        """The newest revision whose resources the stream with this very introduction took over; 0 for none."""
        return self._reached.get(id(introduction), 0)

    def again(self) -> None:
        """Look again at what every proxy is sent: ``alter`` does something else now."""
        if self.latest.value is not None:
            self._served.set(self.latest.value)

    def nodes_of(self, identity: Identity) -> tuple[Node, ...]:
        """The connected proxies whose certificates prove an identity."""
        return tuple(node for node, count in self._nodes.items() if count and node.identity == identity)

    async def review(self, candidate: Document | None, deleted: Key | None) -> tuple[Finding, ...]:
        """What the mesh would say of a change: all about the candidate, and what is new about everything else.

        Every view that exists is compiled. Raises ``StoreUnavailable`` when the store's newest state is not known.
        """
        return await self._candidates.review(candidate, deleted, self.latest.value)

    async def preview(self, changed: Sequence[Document], deleted: Collection[Key]) -> Preview:
        """What every connected proxy has and would have, were the documents written; nothing is.

        Raises ``StoreUnavailable`` when the store's newest state is not known.
        """
        return await self._candidates.preview(changed, deleted)

    def stored(self) -> tuple[Documents, int]:
        """The documents that are known, and their revision."""
        return self._documents, self._read.value or 0

    def nodes(self) -> tuple[Node, ...]:
        """The connected proxies."""
        return tuple(self._nodes)

    async def caught_up(self) -> None:
        """Wait until what the store had when asked is read: a document and one that names it may come together.

        Raises ``StoreUnavailable``.
        """
        wanted = await self._store.revision()
        try:
            async with asyncio.timeout(_CATCH_UP):
                async for revision in self._read:
                    if revision >= wanted:
                        return
        except TimeoutError:
            raise StoreUnavailable("the control plane has not read its newest configuration yet") from None

    def node(self, name: str) -> Node | None:
        """A connected proxy as it introduced itself."""
        return next((node for node in self._nodes if node.id == name), None)

    async def _follow(self) -> None:
        pause = self._pace.first_pause
        while True:
            try:
                since = await self._load()
                pause = self._pace.first_pause
                async for change in self._store.changes(since):
                    self._apply(change)
            except Compacted:
                _log.info("the store's log was cut, reading everything again")
            except StoreUnavailable as away:
                _log.warning("the store is away, serving what is known", reason=str(away), retry_in=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, self._pace.longest_pause)

    async def _load(self) -> int:
        snapshot = await self._store.snapshot()
        found: dict[Key, Document] = {}
        with quiet():
            for count, one in enumerate(snapshot.documents, 1):
                if self._linking.enters(one.key):
                    found[one.key] = self._linking.reduced(one)
                if count % _AT_ONCE == 0:
                    await asyncio.sleep(0)
        self._documents = found
        self._roles += 1
        self._moved(snapshot.revision)
        return snapshot.revision

    def _apply(self, change: Change) -> None:
        if change.kind is ChangeKind.DELETED:
            self._documents.pop(change.document.key, None)
        elif self._linking.enters(change.document.key):
            self._documents[change.document.key] = self._linking.reduced(change.document)
        if change.document.key.group == _RBAC:
            self._roles += 1
        self._moved(change.document.revision)

    def _moved(self, revision: int) -> None:
        self._read.set(revision)
        self._changed.set()

    async def _publish(self) -> None:
        """The first change at once, then those of each window together."""
        while True:
            await self._wake()
            self._changed.clear()
            try:
                documents = dict(self._documents)
                self._heavy = self._linking.is_heavy(documents)
                mesh = _kept(self.latest.value, await self._linking.mesh_of(documents, self._read.value or 0))
                self._linking.published(mesh, documents)
                self.latest.set(mesh)
                self._served.set(mesh)
            except Exception:  # noqa: BLE001  the boundary that loses one revision and keeps the last good mesh
                _log.exception("the mesh cannot be linked", revision=self._read.value, help=REPORT)
            await asyncio.sleep(self._pace.window)

    async def _wake(self) -> None:
        """Wait until a document changes, or time makes another mesh of the same ones: a certificate ends."""
        now = self._clock.now()
        due = next_change(self.latest.value, now) if self.latest.value is not None else None
        with suppress(TimeoutError):
            async with asyncio.timeout(None if due is None else min(due - now, _LONGEST_WAIT)):
                await self._changed.wait()

    def _admit(self, introduction: Introduction) -> Node:
        """The node, if its certificate may speak for it."""
        mesh = self.latest.value
        if mesh is None:
            raise NotReady("the control plane has not read its configuration yet")
        identity = introduction.identity
        settings = mesh.settings
        if identity.trust_domain not in (settings.trust_domain, *settings.trust_domain_aliases):
            raise Refused(f"this mesh is {settings.trust_domain}, the certificate is of {identity.trust_domain}")
        try:
            node = parse_node(identity, introduction.node_id, introduction.metadata)
        except PeerError as wrong:
            raise Refused(str(wrong)) from wrong
        for workload in mesh.workloads:
            mine = workload.name == node.workload and workload.namespace == node.namespace
            if mine and workload.account and workload.account != identity.account:
                raise Refused(f"workload {node.id} belongs to another service account than {identity.account}")
        return node

    async def _resources(self, mesh: Mesh, node: Node, last: Resources | None) -> Resources:
        """One proxy after another beside the event loop when a document is large, so that they share what they can."""
        if not self._heavy:
            return self._compile(mesh, node, last)
        async with self._compiling:
            with quiet():
                return await asyncio.to_thread(self._compile, mesh, node, last)

    def _compile(self, mesh: Mesh, node: Node, last: Resources | None) -> Resources:
        """The proxy's resources; when they cannot be made, what it has, with a finding for the fleet."""
        try:
            return self._made(mesh, node)
        except Exception as bug:  # the boundary that loses one proxy
            _log.exception("a sidecar's configuration cannot be made", proxy=node.id, revision=mesh.revision)
            if last is None:
                raise NotReady(f"the configuration of {node.id} cannot be made") from bug
            return msgspec.structs.replace(last, findings=(failure(bug, None),))

    def _made(self, mesh: Mesh, node: Node) -> Resources:
        return self._stages.resources_of(self._stages.view_of(mesh, node))


def _kept(old: Mesh | None, new: Mesh) -> Mesh:
    """The new mesh, made of the old one's parts when it says the same: a status that changed, a document of others."""
    if old is None:
        return new
    same = msgspec.structs.replace(old, revision=new.revision)
    return same if same == new else new


def _made_of(old: Mesh, new: Mesh) -> bool:
    """Whether ``_kept`` found that both say the same."""
    return all(getattr(old, name) is getattr(new, name) for name in Mesh.__struct_fields__ if name != "revision")
