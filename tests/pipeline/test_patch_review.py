"""A patch that Envoy cannot read is refused when it is written, by the machine as it really is."""

import asyncio

import msgspec
import pytest

from weft.model.document import Document, Key
from weft.model.finding import Finding, Severity, field_path
from weft.model.settings import Settings
from weft.pipeline import Pipeline
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio


def envoy_filter(name: str, value: object) -> Document:
    patch = {"applyTo": "CLUSTER", "patch": {"operation": "MERGE", "value": value}}
    spec = {"workloadSelector": {"labels": {"app": "nobody"}}, "configPatches": [patch]}
    metadata = {"name": name, "namespace": "shop"}
    content = {"apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter", "metadata": metadata, "spec": spec}
    key = Key(group="networking.istio.io", kind="EnvoyFilter", namespace="shop", name=name)
    return Document(key=key, content=msgspec.json.encode(content))


async def refused(pipeline: Pipeline, one: Document) -> list[Finding]:
    return [found for found in await pipeline.review(one, None) if found.severity is Severity.ERROR]


async def test_a_value_that_is_not_the_message_is_refused_although_no_proxy_is_patched() -> None:
    pipeline = Pipeline(MemoryStore(), Settings())
    running = asyncio.create_task(pipeline.run())
    try:
        (finding,) = await refused(pipeline, envoy_filter("bad", {"connectTimeout": "soon"}))
        assert field_path(finding.path) == "spec.configPatches[0].patch.value.connectTimeout"
        assert await refused(pipeline, envoy_filter("good", {"connectTimeout": "3s"})) == []
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
