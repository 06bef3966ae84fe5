"""A workload that registers for a group: its entry has what the group says, and it is asked as the group wants."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.agent.rig import Mesh, running, until_true
from weft.model.document import Document
from weft.registry.group import group_key

pytestmark = [pytest.mark.asyncio, pytest.mark.live]

GROUP = {
    "metadata": {"labels": {"tier": "back"}, "annotations": {"note": "ours"}},
    "template": {"serviceAccount": "reviews", "network": "n1", "locality": "eu/a", "weight": 7},
}


def group(port: int) -> Document:
    spec = GROUP | {"probe": {"periodSeconds": 1, "failureThreshold": 1, "tcpSocket": {"port": port}}}
    metadata = {"name": "back", "namespace": "shop", "uid": "of-this-test"}
    content = {"apiVersion": "networking.istio.io/v1", "kind": "WorkloadGroup", "metadata": metadata, "spec": spec}
    return Document(key=group_key("shop", "back"), content=msgspec.json.encode(content))


async def test_a_workload_of_a_group_has_its_template_and_is_well_as_its_probe_says(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    mesh = Mesh(tmp_path, free_port(), free_port(), lifetime=3600.0)
    elsewhere = free_port()
    async with mesh.serving():
        await mesh.store.create(group(elsewhere))
        async with running(await mesh.config("reviews-1", group="back")) as agent:
            await agent.says("is ready as")
            entry = await mesh.entry("reviews-1")
            assert entry is None or not await mesh.healthy("reviews-1"), "nothing listens where the probe asks"
            server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", elsewhere)
            async with server:
                await until_true(lambda: mesh.healthy("reviews-1"))
                entry = await mesh.entry("reviews-1")
                assert entry is not None
                assert entry["metadata"]["labels"]["tier"] == "back"
                assert entry["metadata"]["annotations"]["istio.io/autoRegistrationGroup"] == "back"
                assert entry["metadata"]["ownerReferences"][0]["name"] == "back"
                spec = entry["spec"]
                assert (spec["network"], spec["locality"], spec["weight"]) == ("n1", "eu/a", 7)
                await until_true(agent.answers)
