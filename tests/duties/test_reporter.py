"""The mesh's findings reach the documents, once, and the documents' status never comes back as news."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.app.test_app import command, up
from weft.compiler.resource import Resources
from weft.duties.reporter import Reporter, ReportPace
from weft.model.document import Document, Key
from weft.model.identity import Identity
from weft.model.settings import Settings
from weft.pipeline import Pace, Pipeline, Stages
from weft.store.memory import MemoryStore
from weft.store.source import Report, StoreUnavailable
from weft.view.view import View
from weft.xds.introduction import Introduction

QUICK = ReportPace(window=0.01, pause=0.01)


class CountingStore(MemoryStore):
    """Counts the reports, and is away when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.reports: list[Report] = []
        self.away = 0
        self.broken = 0

    async def report(self, reports: tuple[Report, ...]) -> None:
        if self.away:
            self.away -= 1
            raise StoreUnavailable("the disk is full")
        if self.broken:
            self.broken -= 1
            raise ZeroDivisionError("a bug")
        self.reports += reports
        await super().report(reports)


class Stage:
    """A running pipeline and reporter with weft's own dialects; counts the views that are compiled."""

    def __init__(self, store: CountingStore) -> None:
        self.store = store
        self.compiled = 0
        self.pipeline = Pipeline(
            store, Settings(), stages=Stages(resources_of=self._resources_of), pace=Pace(window=0.01)
        )

    def _resources_of(self, view: View) -> Resources:
        self.compiled += 1
        return Resources(resources=())

    async def condition(self, name: str, status: str) -> dict[str, Any]:
        """Wait until a virtual service has the condition with this status, and everything has settled."""
        async with asyncio.timeout(5):
            while True:
                if (await self._accepted(name)).get("status") == status:
                    break
                await asyncio.sleep(0.005)
        await self.settled()
        return await self._accepted(name)

    async def settled(self) -> None:
        """Wait until the newest revision is a mesh and nothing follows it."""
        async with asyncio.timeout(5):
            while True:
                revision = await self.store.revision()
                await asyncio.sleep(0.1)
                mesh = self.pipeline.latest.value
                if mesh is not None and mesh.revision == revision == await self.store.revision():
                    return

    async def _accepted(self, name: str) -> dict[str, Any]:
        document = await self.store.read(key(name))
        assert document is not None
        conditions = json.loads(document.content).get("status", {}).get("conditions", [])
        return next((one for one in conditions if one["type"] == "Accepted"), {})


@asynccontextmanager
async def staged(*documents: Document, store: CountingStore | None = None) -> AsyncIterator[Stage]:
    store = store or CountingStore()
    for document in documents:
        await store.create(document)
    stage = Stage(store)
    running = [
        asyncio.ensure_future(stage.pipeline.run()),
        asyncio.ensure_future(Reporter(store, stage.pipeline.latest, QUICK).run()),
    ]
    try:
        await stage.settled()
        yield stage
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def key(name: str, kind: str = "VirtualService") -> Key:
    group = "networking.istio.io" if kind == "VirtualService" else ""
    return Key(group=group, kind=kind, namespace="shop", name=name)


def document(kind: str, name: str, spec: dict[str, Any], **metadata: Any) -> Document:
    version = "networking.istio.io/v1" if kind == "VirtualService" else "v1"
    named = {"name": name, "namespace": "shop", "generation": 1} | metadata
    content = {"apiVersion": version, "kind": kind, "metadata": named, "spec": spec}
    return Document(key=key(name, kind), content=json.dumps(content).encode())


def route(name: str = "reviews", **metadata: Any) -> Document:
    """A virtual service that needs the service ``ratings``."""
    http = [{"route": [{"destination": {"host": "ratings"}}]}]
    return document("VirtualService", name, {"hosts": ["reviews"], "http": http}, **metadata)


def ratings() -> Document:
    return document("Service", "ratings", {"ports": [{"port": 80, "name": "http"}]})


@pytest.mark.asyncio
async def test_a_document_that_names_nothing_is_told_so_once() -> None:
    async with staged(route()) as stage:
        found = await stage.condition("reviews", "Unknown")
        assert found["reason"] == "W0201"
        assert await stage.store.revision() == 2
        assert len(stage.store.reports) == 1


@pytest.mark.asyncio
async def test_a_document_is_accepted_when_its_destination_comes_and_doubted_when_it_goes() -> None:
    async with staged(route()) as stage:
        await stage.condition("reviews", "Unknown")
        await stage.store.create(ratings())
        await stage.condition("reviews", "True")
        await stage.store.delete(key("ratings", "Service"), None)
        await stage.condition("reviews", "Unknown")
        assert await stage.store.revision() == 6


@pytest.mark.asyncio
async def test_a_mesh_without_findings_writes_nothing() -> None:
    async with staged(ratings(), route()) as stage:
        assert (await stage.store.revision(), stage.store.reports) == (2, [])


@pytest.mark.asyncio
async def test_a_report_compiles_nothing_again() -> None:
    async with staged(ratings(), route()) as stage:
        introduction = Introduction(
            identity=Identity(trust_domain="cluster.local", namespace="shop", account="web"),
            node_id="web-1.shop",
            metadata='{"namespace": "shop", "workload": "web-1"}',
        )
        offers = stage.pipeline.subscribe(introduction)
        await anext(offers)
        waiting = asyncio.ensure_future(anext(offers))
        await stage.settled()
        before = stage.compiled
        await stage.store.report((Report(key=key("reviews"), findings=()),))
        stored = await stage.store.read(key("reviews"))
        assert stored is not None
        content = json.loads(stored.content) | {"status": {"note": "by somebody"}}
        await stage.store.replace(Document(key=key("reviews"), content=json.dumps(content).encode()), None)
        await stage.settled()
        assert stage.pipeline.latest.value is not None
        assert stage.pipeline.latest.value.revision == 3
        assert stage.compiled == before
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await offers.aclose()


@pytest.mark.asyncio
async def test_a_changed_document_with_the_same_findings_is_observed_anew() -> None:
    async with staged(route()) as stage:
        await stage.condition("reviews", "Unknown")
        stored = await stage.store.read(key("reviews"))
        assert stored is not None
        content = json.loads(stored.content)
        content["metadata"]["generation"] = 2
        await stage.store.replace(Document(key=key("reviews"), content=json.dumps(content).encode()), None)
        await stage.settled()
        assert (await stage.condition("reviews", "Unknown"))["observedGeneration"] == 2


@pytest.mark.asyncio
async def test_what_an_earlier_run_told_is_looked_at_again() -> None:
    store = CountingStore()
    async with staged(route(), store=store) as stage:
        await stage.condition("reviews", "Unknown")
    await store.create(ratings())
    async with staged(store=store) as stage:
        await stage.condition("reviews", "True")


@pytest.mark.asyncio
async def test_a_store_that_is_away_is_asked_again() -> None:
    store = CountingStore()
    store.away = 3
    async with staged(route(), store=store) as stage:
        await stage.condition("reviews", "Unknown")
    assert store.away == 0


@pytest.mark.asyncio
async def test_a_bug_loses_a_report_and_later_ones_are_written() -> None:
    store = CountingStore()
    store.broken = 1
    async with staged(route(), store=store) as stage:
        async with asyncio.timeout(5):
            while True:
                if not store.broken:
                    break
                await asyncio.sleep(0.005)
        assert await store.revision() == 1
        await store.create(route("later"))
        await stage.condition("later", "Unknown")


@pytest.mark.asyncio
async def test_a_document_that_goes_meanwhile_disturbs_nobody() -> None:
    async with staged(route(), route("other", generation=1)) as stage:
        await stage.condition("other", "Unknown")
        await stage.store.delete(key("reviews"), None)
        await stage.settled()
        assert (await stage.condition("other", "Unknown"))["reason"] == "W0201"


def test_a_control_plane_reports(tmp_path: Path) -> None:
    file = tmp_path / "reviews.yaml"
    file.write_text(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: reviews, namespace: shop}\n"
        "spec: {hosts: [reviews], http: [{route: [{destination: {host: ratings}}]}]}\n"
    )
    with up(tmp_path / "state"):
        assert command(tmp_path / "state", "apply", "-f", str(file)).returncode == 0
        end = time.monotonic() + 10
        conditions: list[dict[str, Any]] = []
        while not conditions and time.monotonic() < end:
            said = command(tmp_path / "state", "get", "virtualservices", "reviews", "-n", "shop", "-o", "json")
            conditions = json.loads(said.stdout).get("status", {}).get("conditions", [])
    assert [(one["type"], one["status"], one["reason"]) for one in conditions] == [("Accepted", "Unknown", "W0201")]
