"""What documents say of a proxy's start holds when a real agent starts one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agent.rig import Mesh, running
from tests.dialects.documents import document

pytestmark = [pytest.mark.asyncio, pytest.mark.live]

TAGS = """
configPatches:
  - applyTo: BOOTSTRAP
    patch:
      operation: MERGE
      value: {stats_config: {stats_tags: [{tag_name: shop.of, fixed_value: books}]}}
  - applyTo: BOOTSTRAP
    patch: {operation: MERGE, value: {static_resources: {clusters: [{name: xds}]}}}
"""
UNFIT = """
configPatches:
  - applyTo: BOOTSTRAP
    patch:
      operation: MERGE
      value:
        bootstrap_extensions:
          - name: nothing
            typed_config:
              "@type": type.googleapis.com/xds.type.v3.TypedStruct
              type_url: type.googleapis.com/envoy.extensions.no.such.Thing
"""


@pytest.fixture
def mesh(tmp_path: Path, free_port: Callable[[], int]) -> Mesh:
    return Mesh(tmp_path, free_port(), free_port(), lifetime=3600.0)


async def test_threads_and_the_bootstrap_are_those_of_documents(mesh: Mesh) -> None:
    await mesh.store.create(document("ProxyConfig", "selector: {matchLabels: {app: reviews}}\nconcurrency: 3"))
    await mesh.store.create(document("EnvoyFilter", TAGS))
    async with mesh.serving(), running(await mesh.config("reviews-1")) as agent:
        await agent.says("the bootstrap was changed by documents")
        await agent.says("is registered")
        assert "the cluster xds is what binds" in agent.said
        command = agent.child("envoy").cmdline()
        assert command[command.index("--concurrency") + 1] == "3"
        assert "books" in (mesh.directory / "workloads" / "reviews-1" / "bootstrap.json").read_text()


async def test_a_bootstrap_that_envoy_refuses_costs_the_change_and_not_the_workload(mesh: Mesh) -> None:
    await mesh.store.create(document("EnvoyFilter", UNFIT))
    async with mesh.serving(), running(await mesh.config("reviews-1", workers=2)) as agent:
        await agent.says("is refused by envoy, so they are left out")
        await agent.says("is registered")
        command = agent.child("envoy").cmdline()
        assert command[command.index("--concurrency") + 1] == "2"
