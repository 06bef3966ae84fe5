"""Short names for what the tests send."""

import json
from typing import Any

import httpx2

from weft.model.document import Document, Key
from weft.model.finding import Finding

VS = "/apis/networking.istio.io/v1/namespaces/shop/virtualservices"
SERVICES = "/api/v1/namespaces/shop/services"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


class Reviewer:
    """Says what the test wants it to say, and remembers what it was asked."""

    def __init__(self) -> None:
        self.findings: tuple[Finding, ...] = ()
        self.asked: list[tuple[Document | None, Key | None]] = []

    def __call__(self, candidate: Document | None, deleted: Key | None) -> tuple[Finding, ...]:
        self.asked.append((candidate, deleted))
        return self.findings


def virtual_service(name: str = "reviews", host: str = "reviews", **spec: Any) -> dict[str, Any]:
    """A virtual service that is valid."""
    route = [{"route": [{"destination": {"host": host}}]}]
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": name},
        "spec": {"hosts": [host], "http": route} | spec,
    }


def service(name: str = "reviews", port: int = 9080) -> dict[str, Any]:
    """A service that is valid."""
    spec = {"selector": {"app": name}, "ports": [{"name": "http", "port": port, "protocol": "TCP"}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


async def created(client: httpx2.AsyncClient, content: dict[str, Any], path: str = VS) -> dict[str, Any]:
    """Create an object that must be accepted."""
    answer = await client.post(path, json=content)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def patched(client: httpx2.AsyncClient, path: str, media_type: str, patch: Any, **query: str) -> httpx2.Response:
    """Send a patch."""
    headers = {"Content-Type": media_type}
    return await client.patch(path, content=json.dumps(patch), headers=headers, params=query)


async def applied(
    client: httpx2.AsyncClient, content: dict[str, Any], manager: str, path: str = "", **query: str
) -> httpx2.Response:
    """Server-side apply."""
    path = path or f"{VS}/{content['metadata']['name']}"
    return await patched(client, path, APPLY, content, fieldManager=manager, **query)


def managers(content: dict[str, Any]) -> dict[str, Any]:
    """Who owns what, by manager and operation."""
    entries = content["metadata"].get("managedFields", [])
    return {f"{entry['manager']} {entry['operation']}": entry["fieldsV1"] for entry in entries}
