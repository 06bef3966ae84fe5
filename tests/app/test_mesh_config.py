"""MeshConfig in the store: live, checked before it is written, and never without a good one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from weft.kit.tasks import tasks
from weft.model.document import Document, Key
from weft.model.finding import Finding, Severity
from weft.model.mesh import Mesh
from weft.model.settings import Settings
from weft.pipeline import Pace, Pipeline
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio

KEY = Key(kind="ConfigMap", name="istio", namespace="istio-system")


def config(text: str, key: Key = KEY) -> Document:
    metadata = {"name": key.name, "namespace": key.namespace}
    content = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"mesh": text}}
    return Document(key=key, content=msgspec.json.encode(content))


@asynccontextmanager
async def running(store: MemoryStore, settings: Settings | None = None) -> AsyncIterator[Pipeline]:
    pipeline = Pipeline(store, settings or Settings(), pace=Pace(window=0.01))
    async with tasks() as group:
        group.start(pipeline.run(), "pipeline")
        await pipeline.latest.first()
        yield pipeline


async def settled(pipeline: Pipeline, revision: int) -> Mesh:
    async with asyncio.timeout(5):
        async for mesh in pipeline.latest:
            if mesh.revision >= revision:
                return mesh
    raise AssertionError


def said(findings: tuple[Finding, ...]) -> list[tuple[str, str, Severity]]:
    return [(one.code, ".".join(map(str, one.path)), one.severity) for one in findings]


async def test_a_change_holds_at_once_and_its_end_brings_back_what_was_before() -> None:
    store = MemoryStore()
    async with running(store) as pipeline:
        assert pipeline.latest.value is not None
        assert pipeline.latest.value.settings == Settings()
        await store.create(config("outboundTrafficPolicy: {mode: REGISTRY_ONLY}"))
        assert not (await settled(pipeline, 1)).settings.allow_any
        await store.delete(KEY, None)
        assert (await settled(pipeline, 2)).settings == Settings()


async def test_what_weft_was_started_with_holds_where_the_config_map_says_nothing() -> None:
    store = MemoryStore()
    async with running(store, Settings(connect_timeout=77, auto_mtls=False)) as pipeline:
        await store.create(config("connectTimeout: 5s"))
        settings = (await settled(pipeline, 1)).settings
        assert (settings.connect_timeout, settings.auto_mtls) == (5000, False)


async def test_a_wrong_one_is_refused_before_it_is_written() -> None:
    store = MemoryStore()
    async with running(store) as pipeline:
        findings = await pipeline.review(config("connectTimeout: never"), None)
        assert ("W0108", "data.mesh.connectTimeout", Severity.ERROR) in said(findings)
        assert await pipeline.review(config("connectTimeout: 1s"), None) == ()


async def test_other_config_maps_are_no_concern_of_the_mesh() -> None:
    store = MemoryStore()
    async with running(store) as pipeline:
        other = Key(kind="ConfigMap", name="istio", namespace="shop")
        assert await pipeline.review(config("connectTimeout: never", other), None) == ()


async def test_a_wrong_one_in_the_store_leaves_the_last_good_one_and_says_so() -> None:
    store = MemoryStore()
    async with running(store) as pipeline:
        await store.create(config("connectTimeout: 3s"))
        await settled(pipeline, 1)
        await store.replace(config("connectTimeout: 4s\nnonsense: 1"), None)
        mesh = await settled(pipeline, 2)
        assert mesh.settings.connect_timeout == 3000
        assert said(mesh.findings) == [
            ("W0101", "data.mesh.nonsense", Severity.ERROR),
            ("W0291", "data.mesh", Severity.WARNING),
        ]


async def test_who_the_mesh_is_stays_while_weft_runs_and_the_rest_is_served() -> None:
    store = MemoryStore()
    async with running(store) as pipeline:
        await store.create(config("trustDomain: other.example\nrootNamespace: other\nconnectTimeout: 2s"))
        mesh = await settled(pipeline, 1)
        assert mesh.settings == Settings(connect_timeout=2000)
        assert said(mesh.findings) == [
            ("W0290", "data.mesh.trustDomain", Severity.WARNING),
            ("W0290", "data.mesh.rootNamespace", Severity.WARNING),
        ]
