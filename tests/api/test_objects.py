"""Objects through HTTP: created, read, updated, patched and deleted."""

import asyncio
import re

import httpx2
import pytest

from tests.api.api_requests import (
    JSON_PATCH,
    MERGE_PATCH,
    SERVICES,
    STRATEGIC_PATCH,
    VS,
    Reviewer,
    created,
    patched,
    service,
    virtual_service,
)
from weft.kit.clock import FakeClock
from weft.model.finding import Finding, Severity
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio


async def test_a_created_object_gets_what_the_server_alone_decides(client: httpx2.AsyncClient) -> None:
    found = await created(client, virtual_service())
    metadata = found["metadata"]
    assert metadata["namespace"] == "shop"
    assert (metadata["generation"], metadata["resourceVersion"]) == (1, "1")
    assert metadata["creationTimestamp"] == "2023-11-14T22:13:20Z"
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", metadata["uid"])
    assert (await client.get(f"{VS}/reviews")).json() == found


async def test_what_a_client_cannot_decide_is_ignored(client: httpx2.AsyncClient) -> None:
    content = virtual_service()
    content["metadata"] |= {
        "uid": "mine",
        "generation": 7,
        "creationTimestamp": "2001-01-01T00:00:00Z",
        "selfLink": "/x",
    }
    content["status"] = {"phase": "fine"}
    found = await created(client, content)
    assert found["metadata"]["uid"] != "mine"
    assert found["metadata"]["generation"] == 1
    assert found["metadata"]["creationTimestamp"].startswith("2023")
    assert "selfLink" not in found["metadata"]
    assert "status" not in found


async def test_a_name_can_be_generated(client: httpx2.AsyncClient) -> None:
    content = virtual_service()
    content["metadata"] = {"generateName": "canary-"}
    names = {(await created(client, content))["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(re.fullmatch(r"canary-[a-z0-9]{5}", name) for name in names)


async def test_creating_twice_is_refused(client: httpx2.AsyncClient) -> None:
    await created(client, virtual_service())
    answer = await client.post(VS, json=virtual_service())
    assert (answer.status_code, answer.json()["reason"]) == (409, "AlreadyExists")
    assert answer.json()["details"] == {"name": "reviews", "group": "networking.istio.io", "kind": "virtualservices"}


async def test_another_namespace_than_the_path_names_is_refused(client: httpx2.AsyncClient) -> None:
    content = virtual_service()
    content["metadata"]["namespace"] = "other"
    assert (await client.post(VS, json=content)).status_code == 400


@pytest.mark.parametrize("change", [{"kind": "Gateway"}, {"apiVersion": "networking.istio.io/v1beta1"}, {"kind": None}])
async def test_another_kind_than_the_path_names_is_refused(client: httpx2.AsyncClient, change: dict[str, str]) -> None:
    assert (await client.post(VS, json=virtual_service() | change)).status_code == 400


async def test_older_versions_are_accepted_and_served(client: httpx2.AsyncClient, store: MemoryStore) -> None:
    old = VS.replace("/v1/", "/v1beta1/")
    await created(client, virtual_service() | {"apiVersion": "networking.istio.io/v1beta1"}, old)
    assert (await client.get(f"{old}/reviews")).json()["apiVersion"] == "networking.istio.io/v1beta1"
    assert (await client.get(f"{VS}/reviews")).json()["apiVersion"] == "networking.istio.io/v1"
    (document,) = (await store.snapshot()).documents
    assert b'"apiVersion":"networking.istio.io/v1"' in document.content
    listed = (await client.get(VS.replace("/v1/", "/v1alpha3/"))).json()
    assert [item["apiVersion"] for item in listed["items"]] == ["networking.istio.io/v1alpha3"]


async def test_an_update_at_the_current_revision_is_stored(client: httpx2.AsyncClient, clock: FakeClock) -> None:
    content = await created(client, virtual_service())
    clock.advance(100)
    answer = await client.put(f"{VS}/reviews", json=content | {"spec": virtual_service(host="new")["spec"]})
    metadata = answer.json()["metadata"]
    assert (metadata["generation"], metadata["resourceVersion"]) == (2, "2")
    assert metadata["uid"] == content["metadata"]["uid"]
    assert metadata["creationTimestamp"] == content["metadata"]["creationTimestamp"]


async def test_an_update_at_an_older_revision_conflicts(client: httpx2.AsyncClient, store: MemoryStore) -> None:
    first = await created(client, virtual_service())
    await client.put(f"{VS}/reviews", json=first | {"spec": virtual_service(host="new")["spec"]})
    answer = await client.put(f"{VS}/reviews", json=first | {"spec": virtual_service(host="other")["spec"]})
    assert (answer.status_code, answer.json()["reason"]) == (409, "Conflict")
    assert await store.revision() == 2


async def test_a_custom_object_is_not_replaced_blindly_and_a_service_may_be(client: httpx2.AsyncClient) -> None:
    await created(client, virtual_service())
    answer = await client.put(f"{VS}/reviews", json=virtual_service())
    assert answer.status_code == 422
    assert answer.json()["details"]["causes"][0]["field"] == "metadata.resourceVersion"
    await created(client, service(), SERVICES)
    assert (await client.put(f"{SERVICES}/reviews", json=service(port=9090))).status_code == 200


async def test_an_update_of_another_incarnation_conflicts(client: httpx2.AsyncClient) -> None:
    content = await created(client, virtual_service())
    content["metadata"]["uid"] = "another"
    assert (await client.put(f"{VS}/reviews", json=content)).status_code == 409


async def test_an_update_of_nothing_is_not_found(client: httpx2.AsyncClient) -> None:
    content = virtual_service()
    content["metadata"]["resourceVersion"] = "1"
    assert (await client.put(f"{VS}/reviews", json=content)).status_code == 404


async def test_labels_do_not_count_as_a_generation(client: httpx2.AsyncClient) -> None:
    await created(client, virtual_service())
    answer = await patched(client, f"{VS}/reviews", MERGE_PATCH, {"metadata": {"labels": {"a": "b"}}})
    assert (answer.json()["metadata"]["generation"], answer.json()["metadata"]["resourceVersion"]) == (1, "2")


async def test_the_same_again_is_no_write(client: httpx2.AsyncClient, store: MemoryStore, clock: FakeClock) -> None:
    content = await created(client, virtual_service())
    clock.advance(100)
    answer = await client.put(f"{VS}/reviews", json=content)
    assert answer.json() == content
    assert await store.revision() == 1


async def test_status_changes_through_its_own_path_only(client: httpx2.AsyncClient) -> None:
    content = await created(client, virtual_service())
    answer = await client.put(f"{VS}/reviews", json=content | {"status": {"phase": "x"}})
    assert "status" not in answer.json()
    answer = await patched(
        client, f"{VS}/reviews/status", MERGE_PATCH, {"status": {"phase": "x"}, "spec": {"hosts": ["other"]}}
    )
    assert answer.json()["status"] == {"phase": "x"}
    assert answer.json()["spec"] == content["spec"]
    assert answer.json()["metadata"]["generation"] == 1
    labelled = await patched(client, f"{VS}/reviews", MERGE_PATCH, {"metadata": {"labels": {"a": "b"}}, "status": None})
    assert labelled.json()["status"] == {"phase": "x"}
    assert (await client.get(f"{VS}/reviews/status")).json() == labelled.json()
    assert (await client.delete(f"{VS}/reviews/status")).status_code == 405


async def test_patches_change_objects(client: httpx2.AsyncClient) -> None:
    await created(client, virtual_service())
    operations = [{"op": "test", "path": "/spec/hosts/0", "value": "reviews"}]
    operations += [{"op": "replace", "path": "/spec/hosts/0", "value": "a"}]
    answer = await patched(client, f"{VS}/reviews", JSON_PATCH, operations)
    assert answer.json()["spec"]["hosts"] == ["a"]
    answer = await patched(client, f"{VS}/reviews", MERGE_PATCH, {"spec": {"hosts": ["b"]}})
    assert answer.json()["spec"]["hosts"] == ["b"]
    assert (await patched(client, f"{VS}/reviews", JSON_PATCH, operations)).status_code == 422
    assert (await patched(client, f"{VS}/none", MERGE_PATCH, {})).status_code == 404


async def test_strategic_patches_are_for_kubernetes_own_kinds(client: httpx2.AsyncClient) -> None:
    await created(client, virtual_service())
    assert (await patched(client, f"{VS}/reviews", STRATEGIC_PATCH, {})).status_code == 415
    await created(client, service(), SERVICES)
    patch = {"spec": {"ports": [{"name": "grpc", "port": 9090}]}}
    answer = await patched(client, f"{SERVICES}/reviews", STRATEGIC_PATCH, patch)
    assert [port["port"] for port in answer.json()["spec"]["ports"]] == [9080, 9090]


async def test_a_patch_that_names_an_older_revision_conflicts(client: httpx2.AsyncClient) -> None:
    await created(client, virtual_service())
    await patched(client, f"{VS}/reviews", MERGE_PATCH, {"spec": {"hosts": ["a"]}})
    patch = {"metadata": {"resourceVersion": "1"}, "spec": {"hosts": ["b"]}}
    assert (await patched(client, f"{VS}/reviews", MERGE_PATCH, patch)).status_code == 409


@pytest.mark.parametrize("metadata", [{"name": "other"}, {"namespace": "other"}, {"uid": "other"}])
async def test_a_patch_cannot_change_who_an_object_is(client: httpx2.AsyncClient, metadata: dict[str, str]) -> None:
    await created(client, virtual_service())
    answer = await patched(client, f"{VS}/reviews", MERGE_PATCH, {"metadata": metadata})
    assert answer.status_code in (400, 409)


async def test_a_deletion_answers_with_a_status(client: httpx2.AsyncClient) -> None:
    content = await created(client, virtual_service())
    answer = (await client.delete(f"{VS}/reviews")).json()
    assert (answer["kind"], answer["status"]) == ("Status", "Success")
    assert answer["details"]["uid"] == content["metadata"]["uid"]
    assert (await client.get(f"{VS}/reviews")).status_code == 404
    assert (await client.delete(f"{VS}/reviews")).status_code == 404


@pytest.mark.parametrize("preconditions", [{"uid": "another"}, {"resourceVersion": "7"}])
async def test_a_deletion_heeds_preconditions(client: httpx2.AsyncClient, preconditions: dict[str, str]) -> None:
    content = await created(client, virtual_service())
    path = f"{VS}/reviews"
    answer = await client.request("DELETE", path, json={"preconditions": preconditions})
    assert answer.status_code == 409
    right = {"uid": content["metadata"]["uid"], "resourceVersion": "1"}
    body = {"preconditions": right, "propagationPolicy": "Foreground"}
    assert (await client.request("DELETE", path, json=body)).status_code == 200


async def test_a_collection_is_deleted_by_selector(client: httpx2.AsyncClient) -> None:
    for name, label in (("a", "x"), ("b", "x"), ("c", "y")):
        content = virtual_service(name)
        content["metadata"]["labels"] = {"l": label}
        await created(client, content)
    answer = await client.delete(VS, params={"labelSelector": "l=x"})
    assert [item["metadata"]["name"] for item in answer.json()["items"]] == ["a", "b"]
    left = (await client.get(VS)).json()["items"]
    assert [item["metadata"]["name"] for item in left] == ["c"]


async def test_a_dry_run_answers_and_stores_nothing(client: httpx2.AsyncClient, store: MemoryStore) -> None:
    await created(client, virtual_service())
    path, dry = f"{VS}/reviews", {"dryRun": "All"}
    assert (await client.post(VS, json=virtual_service("other"), params=dry)).status_code == 201
    answer = await patched(client, path, MERGE_PATCH, {"spec": {"hosts": ["b"]}}, dryRun="All")
    assert answer.json()["spec"]["hosts"] == ["b"]
    assert (await client.delete(path, params=dry)).status_code == 200
    assert (await client.request("DELETE", path, json={"dryRun": ["All"]})).status_code == 200
    assert (await client.delete(VS, params=dry)).status_code == 200
    assert await store.revision() == 1
    assert (await client.delete(path, params={"dryRun": "Some"})).status_code == 400


async def test_the_review_sees_the_candidate_and_its_warnings_are_told(
    client: httpx2.AsyncClient, reviewer: Reviewer
) -> None:
    warning = Finding(code="W0200", message='host "x" ünknown\nhere', severity=Severity.WARNING, help="create it")
    reviewer.findings = (warning, warning)
    answer = await client.post(VS, json=virtual_service())
    assert answer.status_code == 201
    assert answer.headers.get_list("warning") == ['299 - "[W0200] host \\"x\\" ?nknown here (help: create it)"']
    ((candidate, deleted),) = reviewer.asked
    assert deleted is None
    assert candidate is not None
    assert candidate.key.name == "reviews"


async def test_an_error_of_the_review_refuses_the_write(
    client: httpx2.AsyncClient, reviewer: Reviewer, store: MemoryStore
) -> None:
    await created(client, virtual_service("first"))
    reviewer.findings = (
        Finding(code="W0103", message="weights add up to 110", path=("spec", "http", 0), help="lower one"),
    )
    for answer in (
        await client.post(VS, json=virtual_service()),
        await patched(client, f"{VS}/first", MERGE_PATCH, {"spec": {"hosts": ["b"]}}),
        await client.delete(f"{VS}/first"),
    ):
        body = answer.json()
        assert (answer.status_code, body["reason"]) == (422, "Invalid")
        cause = {"reason": "FieldValueInvalid", "field": "spec.http[0]"}
        assert body["details"]["causes"] == [cause | {"message": "[W0103] weights add up to 110 (help: lower one)"}]
        (finding,) = body["weft"]["findings"]
        assert (finding["code"], finding["path"], finding["help"]) == ("W0103", ["spec", "http", 0], "lower one")
    assert await store.revision() == 1


async def test_a_namespace_exists_when_it_is_used(client: httpx2.AsyncClient) -> None:
    names = [item["metadata"]["name"] for item in (await client.get("/api/v1/namespaces")).json()["items"]]
    assert names == ["default"]
    await created(client, virtual_service())
    listed = (await client.get("/api/v1/namespaces")).json()["items"]
    assert [item["metadata"]["name"] for item in listed] == ["default", "shop"]
    assert (await client.get("/api/v1/namespaces/shop")).json()["status"] == {"phase": "Active"}
    assert (await client.get("/api/v1/namespaces/other")).status_code == 404


async def test_a_used_namespace_becomes_a_stored_one_when_it_is_labelled(client: httpx2.AsyncClient) -> None:
    await created(client, virtual_service())
    implied = (await client.get("/api/v1/namespaces/shop")).json()
    answer = await patched(client, "/api/v1/namespaces/shop", STRATEGIC_PATCH, {"metadata": {"labels": {"a": "b"}}})
    assert answer.status_code == 200
    stored = (await client.get("/api/v1/namespaces/shop")).json()
    assert stored["metadata"]["labels"] == {"a": "b", "kubernetes.io/metadata.name": "shop"}
    assert stored["metadata"]["uid"] == implied["metadata"]["uid"]
    assert stored["metadata"]["resourceVersion"] == "2"


async def test_a_namespace_goes_when_nothing_is_in_it(client: httpx2.AsyncClient) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    assert (await created(client, namespace, "/api/v1/namespaces"))["status"] == {"phase": "Active"}
    await created(client, virtual_service())
    answer = await client.delete("/api/v1/namespaces/shop")
    assert (answer.status_code, "still holds 1 object" in answer.json()["message"]) == (409, True)
    await client.delete(f"{VS}/reviews")
    assert (await client.delete("/api/v1/namespaces/shop")).status_code == 200
    assert (await client.get("/api/v1/namespaces/shop")).status_code == 404
    assert (await client.delete("/api/v1/namespaces/default")).status_code == 403


async def test_concurrent_patches_are_all_kept(client: httpx2.AsyncClient) -> None:
    await created(client, virtual_service())
    patches = ({"metadata": {"labels": {f"l{number}": "x"}}} for number in range(4))
    answers = await asyncio.gather(*(patched(client, f"{VS}/reviews", MERGE_PATCH, patch) for patch in patches))
    assert {answer.status_code for answer in answers} == {200}
    labels = (await client.get(f"{VS}/reviews")).json()["metadata"]["labels"]
    assert set(labels) == {"l0", "l1", "l2", "l3"}
