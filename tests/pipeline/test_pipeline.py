"""From the store to every proxy's resources: conflation, isolation of failures, the review of a change.

The stages are fakes that make one cluster per document, so that what is tested is the machine alone.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest

from weft.compiler.resource import CLUSTER, Resources, resource
from weft.dialects.fragment import Fragment
from weft.model.document import Document, Key, Origin, Snapshot
from weft.model.finding import Finding, Severity
from weft.model.identity import Identity
from weft.model.mesh import Mesh
from weft.model.settings import Settings
from weft.model.workload import Workload
from weft.pipeline import Pace, Pipeline, Stages
from weft.store.memory import MemoryStore
from weft.store.source import Change, Compacted, StoreUnavailable
from weft.view.node import Node
from weft.view.view import View
from weft.xds.errors import NotReady, Refused
from weft.xds.introduction import Introduction

pytestmark = pytest.mark.asyncio

SETTINGS = Settings()
QUICK = Pace(window=0.05, first_pause=0.01, longest_pause=0.02)


def document(name: str, content: str = "{}") -> Document:
    return Document(key=Key(kind="Thing", name=name, namespace="shop"), content=content.encode())


def introduction(name: str = "web-1", account: str = "web", trust_domain: str = "cluster.local") -> Introduction:
    said = {"namespace": "shop", "workload": name}
    return Introduction(
        identity=Identity(trust_domain=trust_domain, namespace="shop", account=account),
        node_id=f"{name}.shop",
        metadata=msgspec.json.encode(said).decode(),
    )


class Fakes:
    """Stages whose failures a test chooses by name."""

    def __init__(self) -> None:
        self.broken_link = False
        self.broken_nodes: set[str] = set()
        self.links = 0

    def fragment_of(self, document: Document, settings: Settings) -> Fragment:
        key = document.key
        findings = tuple(
            Finding(code="W0001", message=word, severity=Severity.WARNING, document=key)
            for word in document.content.decode().split()
            if word.startswith("bad")
        )
        account = "reviews" if key.name.startswith("reviews") else ""
        workload = Workload(
            name=key.name, namespace="shop", address="127.0.0.1", origin=Origin(key=key), account=account
        )
        return Fragment(key=key, workloads=(workload,), findings=findings)

    def link(self, fragments: tuple[Fragment, ...], settings: Settings, revision: int) -> Mesh:
        self.links += 1
        if self.broken_link:
            raise ZeroDivisionError("a bug in link")
        workloads = tuple(workload for fragment in fragments for workload in fragment.workloads)
        findings = tuple(finding for fragment in fragments for finding in fragment.findings)
        return Mesh(revision=revision, workloads=workloads, findings=findings)

    def view_of(self, mesh: Mesh, node: Node) -> View:
        names = ",".join(workload.name for workload in mesh.workloads if not workload.name.startswith("hidden"))
        if node.workload in self.broken_nodes or "poison" in names:
            raise KeyError(node.workload)
        return View(trust_domain=names)

    def resources_of(self, view: View) -> Resources:
        names = [name for name in view.trust_domain.split(",") if name]
        return Resources(resources=tuple(resource(CLUSTER, name, name.encode()) for name in names))

    def stages(self) -> Stages:
        return Stages(
            fragment_of=self.fragment_of, link=self.link, view_of=self.view_of, resources_of=self.resources_of
        )


class Bench:
    """A running pipeline, its store and its fakes."""

    def __init__(self, store: MemoryStore, fakes: Fakes, pipeline: Pipeline) -> None:
        self.store, self.fakes, self.pipeline = store, fakes, pipeline

    @asynccontextmanager
    async def proxy(self, said: Introduction | None = None) -> AsyncIterator[AsyncGenerator[Resources, None]]:
        offers = self.pipeline.subscribe(said or introduction())
        try:
            yield offers
        finally:
            await offers.aclose()


@asynccontextmanager
async def bench(
    *documents: Document, store: MemoryStore | None = None, fakes: Fakes | None = None, pace: Pace = QUICK
) -> AsyncIterator[Bench]:
    store = store or MemoryStore()
    for one in documents:
        await store.create(one)
    fakes = fakes or Fakes()
    pipeline = Pipeline(store, SETTINGS, stages=fakes.stages(), pace=pace)
    running = asyncio.ensure_future(pipeline.run())
    try:
        async with asyncio.timeout(5):
            await pipeline.latest.first()
        yield Bench(store, fakes, pipeline)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def following(offers: AsyncGenerator[Resources, None]) -> list[str]:
    async with asyncio.timeout(5):
        return [item.name for item in (await anext(offers)).resources]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.005)


async def test_a_proxy_gets_the_mesh_and_then_each_change() -> None:
    async with bench(document("a")) as made, made.proxy() as offers:
        assert await following(offers) == ["a"]
        await made.store.create(document("b"))
        assert await following(offers) == ["a", "b"]
        await made.store.delete(document("a").key, None)
        assert await following(offers) == ["b"]


async def test_the_first_change_is_linked_at_once_and_a_burst_together() -> None:
    window = 0.5
    async with bench(pace=Pace(window=window)) as made, made.proxy() as offers:
        assert await following(offers) == []
        await asyncio.sleep(window + 0.05)
        before = made.fakes.links
        begin = asyncio.get_running_loop().time()
        await made.store.create(document("a"))
        assert await following(offers) == ["a"]
        assert asyncio.get_running_loop().time() - begin < window
        for number in range(50):
            await made.store.create(document(f"b{number}"))
            await asyncio.sleep(0)
        assert len(await following(offers)) == 51
        assert made.fakes.links == before + 2


async def test_a_change_that_does_not_reach_a_proxy_is_not_offered_to_it() -> None:
    async with bench(document("a")) as made, made.proxy() as offers:
        assert await following(offers) == ["a"]
        await made.store.create(document("hidden"))
        await until(lambda: made.pipeline.latest.value is not None and made.pipeline.latest.value.revision == 2)
        await made.store.create(document("z"))
        assert await following(offers) == ["a", "z"]


async def test_nobody_is_answered_before_the_first_snapshot() -> None:
    pipeline = Pipeline(MemoryStore(), SETTINGS, stages=Fakes().stages())
    with pytest.raises(NotReady):
        await anext(pipeline.subscribe(introduction()))


@pytest.mark.parametrize(
    "said",
    [
        introduction(trust_domain="elsewhere.example"),
        introduction("reviews-1", account="web"),
        Introduction(identity=introduction().identity, node_id="reviews-1.shop", metadata=introduction().metadata),
        Introduction(identity=introduction().identity, node_id="web-1.shop", metadata="{"),
    ],
    ids=["trust domain", "another account's workload", "another name", "malformed"],
)
async def test_x48_a_node_that_its_certificate_does_not_cover_is_refused(said: Introduction) -> None:
    async with bench(document("reviews-1")) as made:
        with pytest.raises(Refused):
            await anext(made.pipeline.subscribe(said))


async def test_a_workload_of_the_same_account_is_admitted() -> None:
    async with bench(document("reviews-1")) as made, made.proxy(introduction("reviews-1", account="reviews")) as offers:
        assert await following(offers) == ["reviews-1"]


async def test_a_view_that_fails_keeps_its_proxy_where_it_is_and_disturbs_no_other() -> None:
    async with bench(document("a")) as made, made.proxy() as one, made.proxy(introduction("web-2")) as other:
        assert await following(one) == await following(other) == ["a"]
        made.fakes.broken_nodes = {"web-1"}
        await made.store.create(document("b"))
        assert await following(other) == ["a", "b"]
        kept = await anext(one)
        assert [item.name for item in kept.resources] == ["a"]
        assert [finding.code for finding in kept.findings] == ["W0150"]
        made.fakes.broken_nodes = set()
        await made.store.create(document("c"))
        mended = await anext(one)
        assert [item.name for item in mended.resources] == ["a", "b", "c"]
        assert mended.findings == ()


async def test_a_proxy_whose_first_view_fails_is_told_to_come_back() -> None:
    async with bench(document("a")) as made:
        made.fakes.broken_nodes = {"web-1"}
        with pytest.raises(NotReady):
            await anext(made.pipeline.subscribe(introduction()))


async def test_a_mesh_that_cannot_be_linked_leaves_the_last_good_one() -> None:
    async with bench(document("a")) as made, made.proxy() as offers:
        assert await following(offers) == ["a"]
        made.fakes.broken_link = True
        links = made.fakes.links
        await made.store.create(document("b"))
        await until(lambda: made.fakes.links > links)
        made.fakes.broken_link = False
        await made.store.create(document("c"))
        assert await following(offers) == ["a", "b", "c"]


class Shaky(MemoryStore):
    """A store that goes away, or cuts its log, when told."""

    def __init__(self) -> None:
        super().__init__()
        self.failure: Exception | None = None
        self.snapshots = 0
        self.cut = asyncio.Event()

    async def snapshot(self) -> Snapshot:
        self.snapshots += 1
        if isinstance(self.failure, StoreUnavailable):
            raise self.failure
        return await super().snapshot()

    async def changes(self, since: int) -> AsyncIterator[Change]:  # type: ignore[override]
        changes = super().changes(since)
        while True:
            following = asyncio.ensure_future(anext(changes))  # type: ignore[arg-type]
            cut = asyncio.ensure_future(self.cut.wait())
            await asyncio.wait({following, cut}, return_when=asyncio.FIRST_COMPLETED)
            cut.cancel()
            if not following.done():
                following.cancel()
                self.cut.clear()
                assert self.failure is not None
                raise self.failure
            yield following.result()


@pytest.mark.parametrize("failure", [Compacted("cut"), StoreUnavailable("the disk is gone")])
async def test_x50_a_store_that_fails_leaves_the_mesh_and_is_read_again_when_it_is_back(failure: Exception) -> None:
    store = Shaky()
    async with bench(document("a"), store=store) as made, made.proxy() as offers:
        assert await following(offers) == ["a"]
        store.failure = failure
        before = store.snapshots
        store.cut.set()
        await until(lambda: store.snapshots > before)
        async with made.proxy(introduction("web-2")) as late:
            assert await following(late) == ["a"]
        store.failure = None
        await store.create(document("b"))
        assert await following(offers) == ["a", "b"]


async def test_a_review_tells_what_the_change_would_add_and_changes_nothing() -> None:
    async with bench(document("old", "bad-old")) as made:
        assert [one.message for one in await made.pipeline.review(document("new", "bad-new"), None)] == ["bad-new"]
        assert [one.message for one in await made.pipeline.review(document("old", "bad-old"), None)] == ["bad-old"]
        assert await made.pipeline.review(document("old", "fine"), None) == ()
        assert await made.pipeline.review(None, document("old").key) == ()
        assert made.pipeline.latest.value is not None
        assert [one.message for one in made.pipeline.latest.value.findings] == ["bad-old"]


async def test_a_review_compiles_every_connected_view_and_one_beside_the_document() -> None:
    async with bench(document("a")) as made:
        (finding,) = await made.pipeline.review(document("poison"), None)
        assert finding.severity is Severity.ERROR
        assert finding.document == document("poison").key
        async with made.proxy() as offers:
            await following(offers)
            made.fakes.broken_nodes = {"web-1"}
            (finding,) = await made.pipeline.review(document("b"), None)
            assert "KeyError" in finding.message
        assert await made.pipeline.review(document("b"), None) == ()


async def test_a_review_that_breaks_link_refuses_the_write() -> None:
    async with bench(document("a")) as made:
        made.fakes.broken_link = True
        (finding,) = await made.pipeline.review(document("b"), None)
        assert finding.severity is Severity.ERROR


async def test_a_review_sees_what_was_written_just_before_and_blames_the_change_for_its_own_part_only() -> None:
    async with bench(pace=Pace(window=10)) as made:
        await made.store.create(document("first", "bad-first"))
        assert await made.pipeline.review(document("other"), None) == ()
        (finding,) = await made.pipeline.review(document("first", "bad-again"), None)
        assert finding.message == "bad-again"


class Threads(Fakes):
    """Remembers which stages ran on the event loop's thread, and which beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.here = threading.get_ident()
        self.on_loop: set[str] = set()
        self.beside: set[str] = set()

    def note(self, stage: str) -> None:
        (self.on_loop if threading.get_ident() == self.here else self.beside).add(stage)

    def fragment_of(self, document: Document, settings: Settings) -> Fragment:
        self.note("fragment_of")
        return super().fragment_of(document, settings)

    def link(self, fragments: tuple[Fragment, ...], settings: Settings, revision: int) -> Mesh:
        self.note("link")
        return super().link(fragments, settings, revision)

    def view_of(self, mesh: Mesh, node: Node) -> View:
        self.note("view_of")
        return super().view_of(mesh, node)

    def resources_of(self, view: View) -> Resources:
        self.note("resources_of")
        return super().resources_of(view)


STAGES = {"fragment_of", "link", "view_of", "resources_of"}


@pytest.mark.parametrize(("size", "beside"), [(10, set()), (1_000_000, STAGES)], ids=["small", "large"])
async def test_nothing_that_takes_long_runs_on_the_event_loop(size: int, beside: set[str]) -> None:
    fakes = Threads()
    async with bench(document("a", " " * size), fakes=fakes) as made, made.proxy() as offers:
        await following(offers)
        assert await made.pipeline.review(document("b", " " * size), None) == ()
        await made.store.create(document("b", " " * size))
        assert await following(offers) == ["a", "b"]
    assert (fakes.beside, fakes.on_loop) == (beside, STAGES - beside)


async def test_what_was_reviewed_is_the_very_document_that_is_translated() -> None:
    seen: list[Document] = []

    class Watched(Fakes):
        def fragment_of(self, document: Document, settings: Settings) -> Fragment:
            seen.append(document)
            return super().fragment_of(document, settings)

    async with bench(fakes=Watched()) as made, made.proxy() as offers:
        await following(offers)
        await made.pipeline.review(document("a"), None)
        await made.store.create(msgspec.structs.replace(document("a"), uid="a-uid", labels=(("a", "b"),)))
        assert await following(offers) == ["a"]
    assert len(set(seen)) == 1


async def test_of_a_secret_nothing_secret_enters_the_mesh() -> None:
    secret = Document(key=Key(kind="Secret", name="s", namespace="shop"), content=b"hidden one")
    async with bench(secret) as made, made.proxy() as offers:
        assert await following(offers) == ["s"]
        assert await made.pipeline.review(secret, None) == ()
        await made.store.replace(msgspec.structs.replace(secret, content=b"hidden two"), None)
        await made.store.create(document("a"))
        assert sorted(await following(offers)) == ["a", "s"]
        assert not any(b"hidden" in one.content for one in made.pipeline._documents.values())
