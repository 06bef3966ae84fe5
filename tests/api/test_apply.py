"""Server-side apply, and who owns which field."""

import httpx2
import msgspec
import pytest

from tests.api.api_requests import (
    APPLY,
    MERGE_PATCH,
    SERVICES,
    VS,
    applied,
    created,
    managers,
    patched,
    service,
    virtual_service,
)
from weft.kit.clock import FakeClock
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio
OTHER = {"http": virtual_service(host="other")["spec"]["http"]}


async def test_applying_what_is_not_there_creates_it(client: httpx2.AsyncClient) -> None:
    answer = await applied(client, virtual_service(), "alice")
    assert answer.status_code == 201
    assert managers(answer.json()) == {"alice Apply": {"f:spec": {"f:hosts": {}, "f:http": {}}}}


async def test_applying_the_same_again_is_no_write(
    client: httpx2.AsyncClient, store: MemoryStore, clock: FakeClock
) -> None:
    first = await applied(client, virtual_service(), "alice")
    clock.advance(100)
    again = await applied(client, virtual_service(), "alice")
    assert (again.status_code, again.json()) == (200, first.json())
    assert await store.revision() == 1


async def test_a_body_in_yaml_is_read(client: httpx2.AsyncClient) -> None:
    text = """
apiVersion: networking.istio.io/v1
kind: VirtualService
spec:
  hosts: [reviews]
  http: [{route: [{destination: {host: reviews}}]}]
"""
    answer = await client.patch(
        f"{VS}/reviews", content=text, headers={"Content-Type": APPLY}, params={"fieldManager": "alice"}
    )
    assert (answer.status_code, answer.json()["spec"]["hosts"]) == (201, ["reviews"])


async def test_another_managers_field_is_a_conflict(client: httpx2.AsyncClient, store: MemoryStore) -> None:
    await applied(client, virtual_service(), "alice")
    answer = await applied(client, virtual_service(host="other"), "bob")
    body = answer.json()
    assert (answer.status_code, body["reason"]) == (409, "Conflict")
    fields = [(cause["reason"], cause["field"]) for cause in body["details"]["causes"]]
    assert fields == [("FieldManagerConflict", ".spec.hosts"), ("FieldManagerConflict", ".spec.http")]
    assert 'conflict with "alice" using networking.istio.io/v1' in body["message"]
    assert await store.revision() == 1


async def test_a_forced_apply_takes_the_field(client: httpx2.AsyncClient) -> None:
    await applied(client, virtual_service(), "alice")
    answer = await applied(client, virtual_service(host="other"), "bob", force="true")
    assert answer.json()["spec"]["hosts"] == ["other"]
    assert list(managers(answer.json())) == ["bob Apply"]


async def test_two_managers_share_what_they_agree_on(client: httpx2.AsyncClient) -> None:
    await applied(client, virtual_service(), "alice")
    answer = await applied(client, virtual_service(), "bob")
    assert list(managers(answer.json())) == ["alice Apply", "bob Apply"]


async def test_what_is_no_longer_declared_goes_unless_somebody_else_owns_it(client: httpx2.AsyncClient) -> None:
    labelled = virtual_service()
    labelled["metadata"]["labels"] = {"mine": "1", "ours": "1"}
    await applied(client, labelled, "alice")
    shared = virtual_service()
    shared["metadata"]["labels"] = {"ours": "1"}
    await applied(client, shared, "bob")
    answer = await applied(client, virtual_service(), "alice")
    assert answer.json()["metadata"]["labels"] == {"ours": "1"}
    answer = await applied(client, virtual_service(), "bob")
    assert "labels" not in answer.json()["metadata"]


async def test_ports_of_a_service_are_owned_one_by_one(client: httpx2.AsyncClient) -> None:
    def part(port: int) -> dict[str, object]:
        ports = [{"name": f"p{port}", "port": port, "protocol": "TCP"}]
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "reviews"}, "spec": {"ports": ports}}

    path = f"{SERVICES}/reviews"
    await applied(client, service(), "alice", path)
    answer = await applied(client, part(9090), "bob", path)
    assert [port["port"] for port in answer.json()["spec"]["ports"]] == [9080, 9090]
    answer = await applied(client, part(9091), "bob", path)
    assert [port["port"] for port in answer.json()["spec"]["ports"]] == [9080, 9091]


async def test_an_update_takes_what_it_changes(client: httpx2.AsyncClient) -> None:
    await applied(client, virtual_service(), "alice")
    answer = await patched(client, f"{VS}/reviews", MERGE_PATCH, {"spec": {"hosts": ["b"]}}, fieldManager="carol")
    assert managers(answer.json()) == {
        "alice Apply": {"f:spec": {"f:http": {}}},
        "carol Update": {"f:spec": {"f:hosts": {}}},
    }
    answer = await applied(client, virtual_service(), "alice")
    assert [cause["field"] for cause in answer.json()["details"]["causes"]] == [".spec.hosts"]


async def test_a_client_that_gives_no_name_is_named_by_its_user_agent(client: httpx2.AsyncClient) -> None:
    assert list(managers(await created(client, virtual_service()))) == ["tests Update"]


async def test_status_has_owners_of_its_own(client: httpx2.AsyncClient) -> None:
    await created(client, virtual_service())
    patch = {"status": {"phase": "x"}}
    answer = await patched(client, f"{VS}/reviews/status", MERGE_PATCH, patch, fieldManager="mesh")
    (entry,) = [e for e in answer.json()["metadata"]["managedFields"] if e["manager"] == "mesh"]
    assert (entry["subresource"], entry["fieldsV1"]) == ("status", {"f:status": {"f:phase": {}}})


async def test_a_client_may_rewrite_the_owners(client: httpx2.AsyncClient) -> None:
    content = await created(client, virtual_service())
    content["metadata"]["managedFields"][0]["manager"] = "renamed"
    content["metadata"]["managedFields"].append({"manager": "nonsense"})
    answer = await client.put(f"{VS}/reviews", json=content)
    assert list(managers(answer.json())) == ["renamed Update"]


async def test_an_apply_without_a_manager_is_refused(client: httpx2.AsyncClient) -> None:
    answer = await patched(client, f"{VS}/reviews", APPLY, virtual_service())
    assert (answer.status_code, "fieldManager is required" in answer.json()["message"]) == (422, True)


async def test_an_apply_that_would_make_an_invalid_object_is_refused(
    client: httpx2.AsyncClient, store: MemoryStore
) -> None:
    broken = virtual_service()
    broken["spec"]["hots"] = broken["spec"].pop("hosts")
    answer = await applied(client, broken, "alice")
    assert (answer.status_code, answer.json()["reason"]) == (422, "Invalid")
    assert await store.revision() == 0


async def test_an_apply_that_names_an_older_revision_conflicts(client: httpx2.AsyncClient) -> None:
    content = virtual_service()
    content["metadata"]["resourceVersion"] = "5"
    assert (await applied(client, content, "alice")).status_code == 409


async def test_a_dry_run_of_an_apply_stores_nothing(client: httpx2.AsyncClient, store: MemoryStore) -> None:
    assert (await applied(client, virtual_service(), "alice", dryRun="All")).status_code == 201
    assert await store.revision() == 0


LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


async def client_side_applied(client: httpx2.AsyncClient, annotation: str = "") -> None:
    """What ``kubectl apply`` creates."""
    said = virtual_service()
    text = annotation or msgspec.json.encode(said).decode()
    content = said | {"metadata": said["metadata"] | {"annotations": {LAST_APPLIED: text}}}
    answer = await client.post(VS, json=content, params={"fieldManager": "kubectl-client-side-apply"})
    assert answer.status_code == 201, answer.text


async def test_kubectl_takes_over_what_it_applied_on_the_clients_side_and_changes_it(
    client: httpx2.AsyncClient,
) -> None:
    await client_side_applied(client)
    other = await applied(client, virtual_service(host="other"), "somebody")
    assert other.status_code == 409, "nobody else does"
    answer = await applied(client, virtual_service(host="other"), "kubectl")
    assert (answer.status_code, answer.json()["spec"]["hosts"]) == (200, ["other"])


async def test_what_others_changed_since_is_a_conflict_for_kubectl_too(client: httpx2.AsyncClient) -> None:
    await client_side_applied(client)
    await patched(client, f"{VS}/reviews", MERGE_PATCH, {"spec": {"hosts": ["third"]}})
    answer = await applied(client, virtual_service(host="other"), "kubectl")
    assert answer.status_code == 409
    assert [cause["field"] for cause in answer.json()["details"]["causes"]] == [".spec.hosts"]


@pytest.mark.parametrize("annotation", ["no json", "[1]", "7", '{"metadata":3}', "[" * 50_000, '{"a":' * 20_000])
async def test_what_was_applied_is_not_believed_where_it_cannot_be_read(
    client: httpx2.AsyncClient, annotation: str
) -> None:
    await client_side_applied(client, annotation)
    assert (await applied(client, virtual_service(host="other"), "kubectl")).status_code == 409
