"""ConfigMaps and Secrets through the API, and a Service's defaults."""

import json
from typing import Any

import httpx2
import pytest

from tests.api.api_requests import (
    APPLY,
    JSON_PATCH,
    MERGE_PATCH,
    SERVICES,
    STRATEGIC_PATCH,
    Reviewer,
    applied,
    created,
    managers,
    patched,
    service,
)
from tests.api.test_protobuf import body, field
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio

SECRETS = "/api/v1/namespaces/shop/secrets"
MAPS = "/api/v1/namespaces/shop/configmaps"


def config(kind: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}, **fields}


async def test_texts_of_a_secret_are_written_and_never_read_back(client: httpx2.AsyncClient) -> None:
    found = await created(client, config("Secret", data={"b": "AAEC"}, stringData={"a": "x"}), SECRETS)
    assert (found["data"], found["type"]) == ({"a": "eA==", "b": "AAEC"}, "Opaque")
    changed = (
        await patched(client, f"{SECRETS}/a", MERGE_PATCH, {"stringData": {"b": "y"}, "data": {"a": None}})
    ).json()
    assert changed["data"] == {"b": "eQ=="}
    for answer in (found, changed, (await client.get(f"{SECRETS}/a")).json()):
        assert "stringData" not in json.dumps(answer)


async def test_keys_that_are_no_longer_applied_go(client: httpx2.AsyncClient) -> None:
    for sent, kept in (({"a": "x", "b": "y"}, {"a": "eA==", "b": "eQ=="}), ({"b": "z"}, {"b": "eg=="})):
        answer = await applied(client, config("Secret", stringData=sent), "helm", f"{SECRETS}/a")
        assert answer.json()["data"] == kept
    assert managers(answer.json())["helm Apply"] == {"f:data": {"f:b": {}}}


async def test_an_applied_secret_that_did_not_change_is_not_written(
    client: httpx2.AsyncClient, store: MemoryStore
) -> None:
    for _ in range(3):
        await applied(client, config("Secret", stringData={"a": "x"}), "helm", f"{SECRETS}/a")
    assert await store.revision() == 1


@pytest.mark.parametrize(
    ("first", "patch", "field"),
    [
        (config("Secret", type="mine"), {"type": "other"}, "type"),
        (config("Secret", immutable=True, data={"a": ""}), {"stringData": {"a": "x"}}, "data"),
        (config("ConfigMap", immutable=True, data={"a": ""}), {"data": {"a": "x"}}, "data"),
        (config("ConfigMap", immutable=True), {"immutable": False}, "immutable"),
        (config("ConfigMap"), {"binaryData": {"a": "?"}}, "binaryData.a"),
        (config("ConfigMap"), {"status": {}}, "status"),
    ],
)
async def test_what_cannot_be_is_refused_with_its_field(
    client: httpx2.AsyncClient, store: MemoryStore, first: dict[str, Any], patch: dict[str, Any], field: str
) -> None:
    path = SECRETS if first["kind"] == "Secret" else MAPS
    await created(client, first, path)
    for media_type in (MERGE_PATCH, STRATEGIC_PATCH):
        answer = await patched(client, f"{path}/a", media_type, patch)
        assert answer.status_code == 422, answer.text
        assert [cause["field"] for cause in answer.json()["details"]["causes"]] == [field]
    refused = await applied(client, first | patch, "me", f"{path}/a", force="true")
    assert refused.status_code == 422
    assert await store.revision() == 1


async def test_labels_of_an_immutable_object_still_change(client: httpx2.AsyncClient) -> None:
    await created(client, config("ConfigMap", immutable=True, data={"a": "b"}), MAPS)
    answer = await patched(
        client, f"{MAPS}/a", JSON_PATCH, [{"op": "add", "path": "/metadata/labels", "value": {"x": "y"}}]
    )
    assert (answer.status_code, answer.json()["metadata"]["labels"]) == (200, {"x": "y"})


async def test_neither_has_a_status(client: httpx2.AsyncClient) -> None:
    await created(client, config("ConfigMap"), MAPS)
    for method in ("GET", "PUT", "PATCH"):
        assert (await client.request(method, f"{MAPS}/a/status", json={})).status_code == 404


async def test_tables_count_the_keys(client: httpx2.AsyncClient) -> None:
    await created(client, config("ConfigMap", data={"a": "1"}, binaryData={"b": "", "c": ""}), MAPS)
    await created(client, config("Secret"), SECRETS)
    headers = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    rows = [(await client.get(path, headers=headers)).json()["rows"][0]["cells"][:-1] for path in (MAPS, SECRETS)]
    assert rows == [["a", 3], ["a", "Opaque", 0]]


async def test_the_binary_form_of_both_is_read(client: httpx2.AsyncClient) -> None:
    headers = {"Content-Type": "application/vnd.kubernetes.protobuf"}
    entry = field(1, b"k") + field(2, b"\x00\xff")
    sent = {
        MAPS: body("ConfigMap", field(1, field(1, b"a")) + field(2, field(1, b"t") + field(2, b"x")) + field(3, entry)),
        SECRETS: body("Secret", field(1, field(1, b"a")) + field(2, entry) + field(5, 1)),
    }
    found = {path: (await client.post(path, content=raw, headers=headers)).json() for path, raw in sent.items()}
    assert (found[MAPS]["data"], found[MAPS]["binaryData"]) == ({"t": "x"}, {"k": "AP8="})
    assert (found[SECRETS]["data"], found[SECRETS]["immutable"]) == ({"k": "AP8="}, True)


async def test_a_service_has_its_defaults_whatever_way_it_came(client: httpx2.AsyncClient, reviewer: Reviewer) -> None:
    one = await created(client, service("one"), SERVICES)
    two = (await applied(client, service("two"), "me", f"{SERVICES}/two")).json()
    for found in (one, two):
        assert {key: found["spec"][key] for key in ("type", "sessionAffinity", "internalTrafficPolicy")} == {
            "type": "ClusterIP",
            "sessionAffinity": "None",
            "internalTrafficPolicy": "Cluster",
        }
        assert found["spec"]["ports"][0]["targetPort"] == 9080
    assert "f:type" not in managers(two)["me Apply"]["f:spec"]
    candidate = reviewer.asked[-1][0]
    assert candidate is not None
    assert b"targetPort" in candidate.content


async def test_a_service_that_is_applied_again_is_not_written(client: httpx2.AsyncClient, store: MemoryStore) -> None:
    for _ in range(3):
        assert (await applied(client, service("a"), "me", f"{SERVICES}/a")).is_success
    answer = await patched(client, f"{SERVICES}/a", APPLY, service("a"), fieldManager="me", dryRun="All")
    assert answer.json()["spec"] == (await client.get(f"{SERVICES}/a")).json()["spec"]
    assert await store.revision() == 1
