"""Lists: pages that agree with each other, selectors, revisions, tables and metadata alone."""

import httpx2
import pytest
import pytest_asyncio

from tests.api.api_requests import MERGE_PATCH, VS, created, patched, virtual_service
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio
ALL = "/apis/networking.istio.io/v1/virtualservices"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


async def names(client: httpx2.AsyncClient, path: str = VS, **query: str) -> list[str]:
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return [item["metadata"]["name"] for item in answer.json()["items"]]


@pytest_asyncio.fixture
async def five(client: httpx2.AsyncClient) -> None:
    for number, name in enumerate("edcba"):
        content = virtual_service(name)
        content["metadata"]["labels"] = {"odd": str(number % 2)}
        await created(client, content)


async def test_an_empty_list_has_a_revision(client: httpx2.AsyncClient) -> None:
    body = (await client.get(VS)).json()
    assert body == {
        "kind": "VirtualServiceList",
        "apiVersion": "networking.istio.io/v1",
        "metadata": {"resourceVersion": "0"},
        "items": [],
    }


async def test_a_list_is_of_one_namespace_or_of_all(client: httpx2.AsyncClient) -> None:
    await created(client, virtual_service("a"))
    await created(client, virtual_service("b"), VS.replace("shop", "other"))
    assert await names(client) == ["a"]
    assert await names(client, ALL) == ["b", "a"]
    assert await names(client, ALL, fieldSelector="metadata.namespace=other") == ["b"]


@pytest.mark.usefixtures("five")
async def test_selectors_choose(client: httpx2.AsyncClient) -> None:
    assert await names(client, labelSelector="odd=1") == ["b", "d"]
    assert await names(client, fieldSelector="metadata.name=c") == ["c"]


@pytest.mark.usefixtures("five")
async def test_pages_show_the_revision_of_the_first_one(client: httpx2.AsyncClient) -> None:
    first = (await client.get(VS, params={"limit": "2"})).json()
    assert [item["metadata"]["name"] for item in first["items"]] == ["a", "b"]
    assert first["metadata"]["remainingItemCount"] == 3
    await client.delete(f"{VS}/c")
    await patched(client, f"{VS}/d", MERGE_PATCH, {"spec": {"hosts": ["changed"]}})
    await patched(client, f"{VS}/d", MERGE_PATCH, {"spec": {"hosts": ["again"]}})
    await created(client, virtual_service("bb"))
    second = (await client.get(VS, params={"limit": "2", "continue": first["metadata"]["continue"]})).json()
    assert [(item["metadata"]["name"], item["spec"]["hosts"]) for item in second["items"]] == [
        ("c", ["reviews"]),
        ("d", ["reviews"]),
    ]
    third = (await client.get(VS, params={"limit": "2", "continue": second["metadata"]["continue"]})).json()
    assert [item["metadata"]["name"] for item in third["items"]] == ["e"]
    assert "continue" not in third["metadata"]
    assert {page["metadata"]["resourceVersion"] for page in (first, second, third)} == {"5"}


@pytest.mark.usefixtures("five")
async def test_a_list_can_be_that_of_an_earlier_revision(client: httpx2.AsyncClient) -> None:
    await client.delete(f"{VS}/a")
    assert await names(client, resourceVersion="3", resourceVersionMatch="Exact") == ["c", "d", "e"]
    assert await names(client, resourceVersion="3", limit="10") == ["c", "d", "e"]
    assert await names(client, resourceVersion="3", resourceVersionMatch="NotOlderThan") == ["b", "c", "d", "e"]
    assert await names(client, resourceVersion="0") == ["b", "c", "d", "e"]


async def test_a_revision_that_is_no_longer_known_is_gone(client: httpx2.AsyncClient, store: MemoryStore) -> None:
    await created(client, virtual_service("a"))
    await created(client, virtual_service("b"))
    first = (await client.get(VS, params={"limit": "1"})).json()
    (document, _) = (await store.snapshot()).documents
    for number in range(11_001):
        changed = type(document)(key=document.key, content=b"%d" % number)
        await store.replace(changed, None)
    answer = await client.get(VS, params={"limit": "1", "continue": first["metadata"]["continue"]})
    assert (answer.status_code, answer.json()["reason"]) == (410, "Expired")


async def test_a_revision_of_the_future_is_a_timeout(client: httpx2.AsyncClient) -> None:
    await created(client, virtual_service("a"))
    for path in (VS, f"{VS}/a"):
        answer = await client.get(path, params={"resourceVersion": "99"})
        assert (answer.status_code, answer.json()["reason"]) == (504, "Timeout")
        assert answer.json()["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


@pytest.mark.parametrize(
    "query",
    [
        {"continue": "nonsense"},
        {"continue": "e30"},
        {"limit": "-1"},
        {"limit": "many"},
        {"resourceVersion": "x"},
        {"resourceVersion": "-1"},
        {"resourceVersionMatch": "Exact"},
        {"resourceVersion": "0", "resourceVersionMatch": "Exact"},
        {"resourceVersion": "1", "resourceVersionMatch": "Perhaps"},
        {"labelSelector": "a in ("},
        {"fieldSelector": "spec.hosts=x"},
        {"sendInitialEvents": "true"},
        {"watch": "1", "sendInitialEvents": "true"},
        {"watch": "1", "resourceVersion": "1", "resourceVersionMatch": "NotOlderThan"},
        {"watch": "perhaps"},
        {"watch": "1", "timeoutSeconds": "x"},
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(client: httpx2.AsyncClient, query: dict[str, str]) -> None:
    answer = await client.get(VS, params=query)
    assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")


async def test_a_table_has_columns_and_rows(client: httpx2.AsyncClient) -> None:
    await created(client, virtual_service())
    table = (await client.get(VS, headers={"Accept": TABLE})).json()
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    titles = [column["name"] for column in table["columnDefinitions"]]
    assert (titles[0], titles[-1]) == ("Name", "Age")
    cells = dict(zip(titles, table["rows"][0]["cells"], strict=True))
    assert (cells["Name"], cells["Hosts"], cells["Age"]) == ("reviews", '["reviews"]', "0s")
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    assert (await client.get(f"{VS}/reviews", headers={"Accept": TABLE})).json()["rows"] == table["rows"]


@pytest.mark.parametrize(("include", "kind"), [("None", None), ("Object", "VirtualService")])
async def test_a_table_brings_what_it_is_asked_for(client: httpx2.AsyncClient, include: str, kind: str | None) -> None:
    await created(client, virtual_service())
    answer = await client.get(VS, headers={"Accept": TABLE}, params={"includeObject": include})
    (row,) = answer.json()["rows"]
    assert row.get("object", {}).get("kind") == kind


async def test_metadata_can_be_had_alone(client: httpx2.AsyncClient) -> None:
    await created(client, virtual_service())
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    body = (await client.get(VS, headers={"Accept": accept})).json()
    assert body["kind"] == "PartialObjectMetadataList"
    (item,) = body["items"]
    assert (item["kind"], "spec" in item) == ("PartialObjectMetadata", False)
    accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    assert (await client.get(f"{VS}/reviews", headers={"Accept": accept})).json() == item


async def test_a_form_that_is_not_spoken_is_not_acceptable(client: httpx2.AsyncClient) -> None:
    answer = await client.get(VS, headers={"Accept": "application/vnd.kubernetes.protobuf"})
    assert (answer.status_code, answer.json()["reason"]) == (406, "NotAcceptable")
    both = "application/vnd.kubernetes.protobuf,application/json"
    assert (await client.get(VS, headers={"Accept": both})).status_code == 200


async def test_events_are_an_empty_list(client: httpx2.AsyncClient) -> None:
    query = {"fieldSelector": "involvedObject.name=reviews,involvedObject.kind=VirtualService"}
    body = (await client.get("/api/v1/namespaces/shop/events", params=query)).json()
    assert (body["kind"], body["items"]) == ("EventList", [])
    assert (await client.post("/api/v1/namespaces/shop/events", json={})).status_code == 405
