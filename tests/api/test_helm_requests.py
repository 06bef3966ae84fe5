"""What Helm asks of a server, request by request, as recorded from Helm 4's SDK; and how Helm 3 writes."""

import base64
import json
from typing import Any

import httpx2
import pytest

from tests.api.api_requests import (
    APPLY,
    MERGE_PATCH,
    SERVICES,
    STRATEGIC_PATCH,
    VS,
    created,
    patched,
    service,
    virtual_service,
)
from tests.api.test_protobuf import body, field

pytestmark = pytest.mark.asyncio

SECRETS = "/api/v1/namespaces/shop/secrets"
MAPS = "/api/v1/namespaces/shop/configmaps"
BINARY = {
    "Content-Type": "application/vnd.kubernetes.protobuf",
    "Accept": "application/vnd.kubernetes.protobuf,application/json",
}
OWNED = {
    "labels": {"app.kubernetes.io/managed-by": "Helm"},
    "annotations": {"meta.helm.sh/release-name": "shelf", "meta.helm.sh/release-namespace": "shop"},
}


def release(version: int, status: str, content: bytes = b"H4sIAAAA") -> bytes:
    """A release as Helm's driver for Secrets sends it."""
    labels = {"createdAt": "1700000000", "name": "shelf", "owner": "helm", "status": status, "version": str(version)}
    metadata = field(1, f"sh.helm.release.v1.shelf.v{version}".encode())
    metadata += b"".join(field(number, b"") for number in (2, 3, 4, 5, 6)) + field(7, 0) + field(8, b"")
    for name, value in labels.items():
        metadata += field(11, field(1, name.encode()) + field(2, value.encode()))
    data = field(1, b"release") + field(2, content)
    return body("Secret", field(1, metadata) + field(2, data) + field(3, b"helm.sh/release.v1"))


async def releases(client: httpx2.AsyncClient, selector: str) -> list[str]:
    answer = await client.get(SECRETS, params={"labelSelector": selector}, headers={"Accept": BINARY["Accept"]})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    return [item["metadata"]["labels"]["version"] for item in answer.json()["items"]]


async def test_releases_are_kept_found_superseded_and_removed(client: httpx2.AsyncClient) -> None:
    assert await releases(client, "name=shelf,owner=helm") == []
    first = await client.post(SECRETS, content=release(1, "pending-install"), headers=BINARY)
    assert (first.status_code, first.json()["type"]) == (201, "helm.sh/release.v1")
    assert base64.b64decode(first.json()["data"]["release"]) == b"H4sIAAAA"
    one = f"{SECRETS}/sh.helm.release.v1.shelf.v1"
    assert (await client.put(one, content=release(1, "deployed"), headers=BINARY)).status_code == 200
    assert (await client.post(SECRETS, content=release(2, "pending-upgrade"), headers=BINARY)).status_code == 201
    assert await releases(client, "name=shelf,owner=helm,status=deployed") == ["1"]
    assert (await client.put(one, content=release(1, "superseded"), headers=BINARY)).status_code == 200
    assert await releases(client, "owner=helm") == ["1", "2"]
    taken = await client.post(SECRETS, content=release(2, "pending-upgrade"), headers=BINARY)
    assert (taken.status_code, taken.json()["reason"]) == (409, "AlreadyExists")
    options = body("DeleteOptions", b"")
    assert (await client.request("DELETE", one, content=options, headers=BINARY)).status_code == 200
    gone = await client.get(one, headers={"Accept": BINARY["Accept"]})
    assert (gone.status_code, gone.json()["reason"]) == (404, "NotFound")


async def test_helm_4_applies_what_a_chart_holds(client: httpx2.AsyncClient) -> None:
    query = {"fieldManager": "helm", "fieldValidation": "Strict", "force": "false"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}, "spec": {}, "status": {}}
    assert (await patched(client, "/api/v1/namespaces/shop", APPLY, namespace, **query)).status_code == 201
    for port, code in ((80, 201), (81, 200), (81, 200), (80, 200)):
        secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {f"p{port}": str(port)}}
        config = {"apiVersion": "v1", "kind": "ConfigMap", "data": {f"p{port}": str(port)}}
        objects = {SECRETS: secret, MAPS: config, SERVICES: service(port=port), VS: virtual_service()}
        for path, content in objects.items():
            declared = content | {"metadata": OWNED | {"name": "shelf"}}
            answer = await patched(client, f"{path}/shelf", APPLY, declared, **query)
            assert answer.status_code == code, answer.text
    assert (await client.get(f"{SECRETS}/shelf")).json()["data"] == {"p80": "ODA="}
    assert (await client.get(f"{MAPS}/shelf")).json()["data"] == {"p80": "80"}
    ports = (await client.get(f"{SERVICES}/shelf")).json()["spec"]["ports"]
    assert ports == [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 80}]


async def test_helm_4_waits_by_a_watch_that_begins_with_what_is_there(client: httpx2.AsyncClient) -> None:
    await created(client, service("shelf"), SERVICES)
    query = "allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&sendInitialEvents=true&timeoutSeconds=1&watch=1"
    answer = await client.get(f"{SERVICES}?{query}")
    added, bookmark = (json.loads(line) for line in answer.text.splitlines()[:2])
    assert (added["type"], added["object"]["metadata"]["name"]) == ("ADDED", "shelf")
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_helm_3_creates_and_patches_each_kind_in_its_way(client: httpx2.AsyncClient) -> None:
    manager = {"fieldManager": "helm"}
    for path, content in ((SERVICES, service("shelf")), (VS, virtual_service("shelf"))):
        content["metadata"] |= OWNED
        assert (await client.post(path, json=content, params=manager)).status_code == 201
    order: dict[str, Any] = {"$setElementOrder/ports": [{"port": 81}], "ports": [{"$patch": "delete", "port": 9080}]}
    order["ports"].insert(0, {"name": "http", "port": 81})
    changed = await patched(client, f"{SERVICES}/shelf", STRATEGIC_PATCH, {"spec": order}, **manager)
    assert [port["targetPort"] for port in changed.json()["spec"]["ports"]] == [81]
    changed = await patched(client, f"{VS}/shelf", MERGE_PATCH, {"spec": {"hosts": ["other"]}}, **manager)
    assert changed.json()["spec"]["hosts"] == ["other"]
    for path in (SERVICES, VS):
        removed = await client.request("DELETE", f"{path}/shelf", json={"propagationPolicy": "Background"})
        assert removed.status_code == 200
