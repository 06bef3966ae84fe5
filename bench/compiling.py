"""One cold run of translate, link, view and compile, in a process of its own because everything is memoised.

``python -m bench.compiling REPEATS`` prints JSON: milliseconds of each step, cold and after each change.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

from weft.compiler.resource import Resources
from weft.compiler.resources import resources_of
from weft.dialects.link import link
from weft.dialects.translate import fragment_of
from weft.kit.quiet import quiet
from weft.model.document import Document, Key
from weft.model.identity import Identity
from weft.model.settings import Settings
from weft.view.build import view_of
from weft.view.node import Node

SERVICES = 1000
ENDPOINTS = 10
_NAMESPACE = "bench"
_SETTINGS = Settings()
_T = TypeVar("_T")


def documents() -> list[Document]:
    """Every service, followed by its endpoints."""
    return [document for service in range(SERVICES) for document in _service(service)]


def _service(number: int) -> list[Document]:
    name = f"service-{number}"
    port = {"name": "http", "port": 9080, "targetPort": 9080, "appProtocol": "http", "protocol": "TCP"}
    service = document_of("v1", "Service", name, {"selector": {"app": name}, "ports": [port]})
    return [service, *(endpoint(number, index) for index in range(ENDPOINTS))]


def endpoint(service: int, index: int, weight: int = 1) -> Document:
    """One instance of a service."""
    name = f"service-{service}"
    labels = {"app": name, "version": "v1", "security.istio.io/tlsMode": "istio"}
    address = f"127.{service // 250}.{service % 250}.{index + 1}"
    spec = {"address": address, "labels": labels, "serviceAccount": name, "ports": {"http": 9080}, "weight": weight}
    return document_of("networking.istio.io/v1", "WorkloadEntry", f"{name}-{index}", spec)


def document_of(version: str, kind: str, name: str, spec: dict[str, Any]) -> Document:
    """A document of the bench as the store keeps it."""
    metadata = {"name": name, "namespace": _NAMESPACE, "creationTimestamp": "2026-01-01T00:00:00Z"}
    content = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
    group = version.rpartition("/")[0]
    return Document(
        key=Key(kind=kind, name=name, namespace=_NAMESPACE, group=group),
        content=json.dumps(content, sort_keys=True, separators=(",", ":")).encode(),
        revision=1,
        created="2026-01-01T00:00:00Z",
    )


def _timed(taken: dict[str, float], step: str, work: Callable[[], _T]) -> _T:
    begun = time.process_time()
    result = work()
    taken[step] = (time.process_time() - begun) * 1000
    return result


def all_steps(every: list[Document], node: Node, revision: int) -> tuple[dict[str, float], Resources]:
    """From documents to a proxy's resources, with the milliseconds of each step."""
    with quiet():
        return _all_steps(every, node, revision)


def _all_steps(every: list[Document], node: Node, revision: int) -> tuple[dict[str, float], Resources]:
    taken: dict[str, float] = {}
    fragments = _timed(taken, "translate", lambda: tuple(fragment_of(document, _SETTINGS) for document in every))
    mesh = _timed(taken, "link", lambda: link(fragments, _SETTINGS, revision))
    view = _timed(taken, "view", lambda: view_of(mesh, node))
    return taken, _timed(taken, "compile", lambda: resources_of(view))


def main(repeats: int) -> None:
    """Compile, change an endpoint, compile again."""
    identity = Identity(trust_domain=_SETTINGS.trust_domain, namespace=_NAMESPACE, account="caller")
    node = Node(
        id=f"caller.{_NAMESPACE}", namespace=_NAMESPACE, workload="caller", identity=identity,
        http_proxy=("127.0.0.1", 15001),
    )  # fmt: skip
    every = documents()
    cold, resources = all_steps(every, node, 1)
    first, changed = resources, list[dict[str, float]]()
    for turn in range(repeats):
        every[1] = endpoint(0, 0, weight=turn + 2)
        taken, resources = all_steps(every, node, turn + 2)
        changed.append(taken)
    size = {
        "services": SERVICES,
        "endpoints": ENDPOINTS,
        "documents": len(every),
        "resources": len(first.resources),
        "bytes": sum(len(item.body) for item in first.resources),
        "changed": len(set(resources.resources) - set(first.resources)),
    }
    print(json.dumps({"cold": cold, "changed": changed, "size": size}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
