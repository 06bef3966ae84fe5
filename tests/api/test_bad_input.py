"""Whatever is wrong is refused with its place, and a refused write changes nothing."""

import asyncio
import gc
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from tests.api.api_requests import APPLY, JSON_PATCH, MERGE_PATCH, VS, created, patched, virtual_service
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio
JSON = {"Content-Type": "application/json"}


def with_spec(**spec: Any) -> dict[str, Any]:
    return virtual_service(**spec)


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (with_spec(hots=["x"]), "spec.hots"),
        (with_spec(hosts="reviews"), "spec.hosts"),
        (with_spec(hosts=[7]), "spec.hosts[0]"),
        (with_spec(http=[{"timeout": 5}]), "spec.http[0].timeout"),
        (with_spec(http=[{"rout": []}]), "spec.http[0].rout"),
        (virtual_service("Not_A_Name"), "metadata.name"),
        (virtual_service() | {"metadata": {"name": "x", "labels": {"a": 1}}}, "metadata.labels.a"),
        (virtual_service() | {"metadata": {"name": "x", "labels": ["a"]}}, "metadata.labels"),
        (
            virtual_service() | {"metadata": {"name": "x", "anotations": {}, "anotation": {"a": "b"}}},
            "metadata.anotation",
        ),
        (virtual_service() | {"specs": {}}, "specs"),
        (virtual_service() | {"spec": 3}, "spec"),
        (virtual_service() | {"metadata": {"name": 7}}, "metadata.name"),
        (virtual_service() | {"metadata": {}}, "metadata"),
    ],
)
async def test_a_wrong_field_is_refused_with_its_path(
    client: httpx2.AsyncClient, store: MemoryStore, content: dict[str, Any], field: str
) -> None:
    for validation in ("Strict", "Warn", "Ignore"):
        answer = await client.post(VS, json=content, params={"fieldValidation": validation})
        body = answer.json()
        assert (answer.status_code, body["reason"]) == (422, "Invalid"), body
        assert field in [cause["field"] for cause in body["details"]["causes"]]
        assert body["weft"]["findings"]
    assert await store.revision() == 0


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (b"", JSON, 400),
        (b"{", JSON, 400),
        (b"[]", JSON, 400),
        (b"3", JSON, 400),
        (b'"x"', JSON, 400),
        (b"null", JSON, 400),
        (b'{"a": \xff}', JSON, 400),
        (b'{"metadata": 3}', JSON, 400),
        (b"[" * 200_000, JSON, 400),
        (b"[" * 500 + b"]" * 500, JSON, 400),
        (b'{"a":' * 150 + b"1" + b"}" * 150, JSON, 400),
        (b"a: [", {"Content-Type": "application/yaml"}, 400),
        (b"a: 1\n---\nb: 2\n", {"Content-Type": "application/yaml"}, 400),
        (b"\xff", {"Content-Type": "application/yaml"}, 400),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"{}", {"Content-Type": "application/xml"}, 415),
        (b"k8s\x00xx", {"Content-Type": "application/vnd.kubernetes.protobuf"}, 400),
    ],
)
async def test_a_body_that_is_no_object_is_refused(
    client: httpx2.AsyncClient, store: MemoryStore, body: bytes, headers: dict[str, str], code: int
) -> None:
    answer = await client.post(VS, content=body, headers=headers)
    assert (answer.status_code, answer.json()["kind"]) == (code, "Status")
    assert await store.revision() == 0


async def test_an_alias_bomb_is_refused(client: httpx2.AsyncClient, store: MemoryStore) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    headers = {"Content-Type": APPLY}
    answer = await client.patch(f"{VS}/x", content="\n".join(lines), headers=headers, params={"fieldManager": "m"})
    assert answer.status_code == 400
    assert await store.revision() == 0


@pytest.mark.parametrize(
    ("media_type", "patch", "code"),
    [
        (JSON_PATCH, {"not": "a list"}, 400),
        (JSON_PATCH, [{"op": "remove", "path": "/none"}], 422),
        (JSON_PATCH, [{"op": "replace", "path": "", "value": 3}], 400),
        (JSON_PATCH, [{"op": "remove", "path": "/metadata"}], 200),
        (JSON_PATCH, [{"op": "remove", "path": "/spec/http"}], 422),
        (MERGE_PATCH, [1], 400),
        (MERGE_PATCH, {"spec": {"hots": 1}}, 422),
        (MERGE_PATCH, {"kind": "Other"}, 400),
        (MERGE_PATCH, {"metadata": {"resourceVersion": "x"}}, 400),
        (MERGE_PATCH, {"metadata": {"resourceVersion": 1}}, 400),
        (MERGE_PATCH, {"metadata": 3}, 400),
        ("application/strategic-merge-patch+json", {}, 415),
        ("application/json", {}, 415),
    ],
)
async def test_a_patch_that_makes_no_sense_is_refused(
    client: httpx2.AsyncClient, store: MemoryStore, media_type: str, patch: Any, code: int
) -> None:
    await created(client, virtual_service())
    answer = await patched(client, f"{VS}/reviews", media_type, patch)
    assert answer.status_code == code, answer.text
    assert await store.revision() == 1


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("POST", f"{VS}/reviews", 405),
        ("PUT", VS, 405),
        ("PATCH", VS, 405),
        ("DELETE", "/apis/networking.istio.io/v1/virtualservices", 405),
        ("POST", "/apis/networking.istio.io/v1/virtualservices", 400),
        ("GET", "/apis/networking.istio.io/v1/virtualservices/reviews", 404),
        ("GET", f"{VS}/reviews/scale", 404),
        ("GET", f"{VS}/reviews/status/more", 404),
        ("GET", "/apis/networking.istio.io/v1/namespaces/shop/none", 404),
        ("GET", "/api/v1/namespaces/a/namespaces", 404),
        ("GET", "/apis/networking.istio.io/v1//virtualservices", 404),
        ("TRACE", VS, 405),
    ],
)
async def test_a_path_or_method_that_is_not_served_is_refused(
    client: httpx2.AsyncClient, method: str, path: str, code: int
) -> None:
    answer = await client.request(method, path, json=virtual_service() if method in ("POST", "PUT") else None)
    assert (answer.status_code, answer.json()["kind"]) == (code, "Status")


@pytest.mark.parametrize(
    "query", [{"fieldValidation": "Lax"}, {"dryRun": "Some"}, {"fieldManager": "x" * 129}, {"fieldManager": "a\nb"}]
)
async def test_an_option_of_a_write_that_makes_no_sense_is_refused(
    client: httpx2.AsyncClient, store: MemoryStore, query: dict[str, str]
) -> None:
    assert (await client.post(VS, json=virtual_service(), params=query)).status_code == 400
    assert await store.revision() == 0


@pytest.mark.parametrize(
    "options", [[], 3, {"preconditions": 3}, {"preconditions": {"uid": 3}}, {"preconditions": {"resourceVersion": "x"}}]
)
async def test_options_of_a_deletion_that_make_no_sense_are_refused(
    client: httpx2.AsyncClient, store: MemoryStore, options: Any
) -> None:
    await created(client, virtual_service())
    answer = await client.request("DELETE", f"{VS}/reviews", content=json.dumps(options), headers=JSON)
    assert answer.status_code == 400
    assert await store.revision() == 1


@pytest.fixture
def frozen_heap() -> Iterator[None]:
    """The objects of the test run itself are not what the garbage collector should spend the test's time on."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("frozen_heap")
async def test_a_large_object_does_not_hold_up_others(client: httpx2.AsyncClient) -> None:
    content = virtual_service()
    content["metadata"]["annotations"] = {f"a{number}": "x" for number in range(8_000)}
    content["spec"]["http"] = content["spec"]["http"] * 2_000
    await client.get(VS)  # imports and caches are not what is measured
    longest = 0.0  # by what this process works meanwhile, in any thread: not by what others do on the same machine

    async def pulse(done: Callable[[], bool]) -> None:
        nonlocal longest
        while not done():
            before = time.process_time()
            await asyncio.sleep(0.001)
            longest = max(longest, time.process_time() - before)

    body = json.dumps(content)
    request = asyncio.create_task(client.post(VS, content=body, headers=JSON))
    await pulse(request.done)
    assert (await request).status_code in (201, 422)
    assert longest < 0.2, f"the event loop was held up for {longest:.3f} s"  # 0.02 on an idle machine
