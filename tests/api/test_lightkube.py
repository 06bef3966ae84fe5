"""A Kubernetes client library of Python, against a real server."""

import asyncio
from collections.abc import AsyncIterator

import lightkube
import pytest
import pytest_asyncio
from lightkube.core.exceptions import ApiError
from lightkube.core.resource import NamespacedResource
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.core_v1 import ServicePort, ServiceSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Namespace, Service
from lightkube.types import PatchType

from tests.api.api_requests import virtual_service
from tests.api.conftest import Live

pytestmark = [pytest.mark.live, pytest.mark.asyncio]
VirtualService = create_namespaced_resource("networking.istio.io", "v1", "VirtualService", "virtualservices")


@pytest_asyncio.fixture
async def lk(live: Live) -> AsyncIterator[lightkube.AsyncClient]:
    config = lightkube.KubeConfig.from_file(live.kubeconfig)
    client = lightkube.AsyncClient(config=config, namespace="shop", field_manager="lightkube", trust_env=False)
    yield client
    await client.deletecollection(VirtualService)
    await client.close()


def reviews() -> NamespacedResource:
    found: NamespacedResource = VirtualService.from_dict(virtual_service())
    return found


async def test_objects_are_created_read_replaced_patched_and_deleted(lk: lightkube.AsyncClient) -> None:
    created = await lk.create(reviews())
    assert created.metadata.resourceVersion
    assert (await lk.get(VirtualService, "reviews")).spec["hosts"] == ["reviews"]
    created.spec["hosts"] = ["a"]
    assert (await lk.replace(created)).spec["hosts"] == ["a"]
    with pytest.raises(ApiError) as stale:
        await lk.replace(created)
    assert (stale.value.status.code, stale.value.status.reason) == (409, "Conflict")
    patched = await lk.patch(VirtualService, "reviews", {"spec": {"hosts": ["b"]}}, patch_type=PatchType.MERGE)
    assert patched.spec["hosts"] == ["b"]
    await lk.delete(VirtualService, "reviews")
    with pytest.raises(ApiError) as gone:
        await lk.get(VirtualService, "reviews")
    assert gone.value.status.code == 404


async def test_objects_are_listed_and_selected_over_pages(lk: lightkube.AsyncClient) -> None:
    for number in range(5):
        content = virtual_service(f"v{number}")
        content["metadata"]["labels"] = {"odd": str(number % 2)}
        await lk.create(VirtualService.from_dict(content))
    names = [found.metadata.name async for found in lk.list(VirtualService, chunk_size=2)]
    assert names == ["v0", "v1", "v2", "v3", "v4"]
    assert [found.metadata.name async for found in lk.list(VirtualService, labels={"odd": "1"})] == ["v1", "v3"]


async def test_objects_are_applied(lk: lightkube.AsyncClient) -> None:
    assert (await lk.apply(reviews())).metadata.generation == 1
    other = VirtualService.from_dict(virtual_service(host="other"))
    with pytest.raises(ApiError) as conflict:
        await lk.apply(other, field_manager="somebody")
    assert conflict.value.status.code == 409
    assert (await lk.apply(other, field_manager="somebody", force=True)).metadata.generation == 2


async def test_objects_are_watched(lk: lightkube.AsyncClient) -> None:
    seen: list[tuple[str, str]] = []
    begun = asyncio.Event()

    async def watch() -> None:
        async for kind, found in lk.watch(VirtualService):
            seen.append((kind, found.metadata.name))
            begun.set()
            if kind == "DELETED":
                return

    watching = asyncio.create_task(watch())
    await lk.create(reviews())
    await asyncio.wait_for(begun.wait(), 10)
    await lk.patch(VirtualService, "reviews", {"metadata": {"labels": {"a": "b"}}}, patch_type=PatchType.MERGE)
    await lk.delete(VirtualService, "reviews")
    await asyncio.wait_for(watching, 10)
    assert seen == [("ADDED", "reviews"), ("MODIFIED", "reviews"), ("DELETED", "reviews")]


async def test_kubernetes_own_kinds_keep_their_types(lk: lightkube.AsyncClient) -> None:
    spec = ServiceSpec(selector={"app": "shelf"}, ports=[ServicePort(name="http", port=80)])
    await lk.create(Service(metadata=ObjectMeta(name="shelf"), spec=spec))
    patch = Service(spec=ServiceSpec(ports=[ServicePort(name="grpc", port=81)]))
    patched = await lk.patch(Service, "shelf", patch)
    assert patched.spec is not None
    assert sorted(port.port for port in patched.spec.ports or []) == [80, 81]
    names = {namespace.metadata.name async for namespace in lk.list(Namespace) if namespace.metadata}
    assert {"default", "shop"} <= names
    await lk.delete(Service, "shelf")
