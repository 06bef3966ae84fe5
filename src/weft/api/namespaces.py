"""Namespaces that nobody created: one exists when something is in it, and ``default`` always does.

They are listed and read like stored ones, and become stored ones when they are labelled or applied.
"""

import uuid
from collections.abc import Iterable

from weft.api.errors import Json
from weft.api.objects import document_of
from weft.api.paths import Target
from weft.api.resources import Resource
from weft.model.document import Document, Snapshot

DEFAULT = "default"
_NAME_LABEL = "kubernetes.io/metadata.name"


def is_namespace(resource: Resource) -> bool:
    """Whether the resource is the namespaces."""
    return resource.core and resource.kind.kind == "Namespace"


def implied(snapshot: Snapshot, resource: Resource) -> Iterable[Document]:
    """The namespaces that are used and not stored; their revision is 0."""
    stored = {document.key.name for document in snapshot.documents if resource.holds(document.key)}
    oldest: dict[str, str] = {DEFAULT: ""}
    for document in snapshot.documents:
        name = document.key.namespace
        if name:
            oldest[name] = min(filter(None, (oldest.get(name), document.created)), default="")
    return [_document(name, created, resource) for name, created in oldest.items() if name not in stored]


def established(content: Json, now: str) -> Json:
    """A namespace that becomes a stored one, with what Kubernetes adds to it."""
    metadata = {"creationTimestamp": now} | content["metadata"]
    metadata["labels"] = {**metadata.get("labels", {}), _NAME_LABEL: metadata["name"]}
    return {"status": {"phase": "Active"}} | content | {"metadata": metadata}


def _document(name: str, created: str, resource: Resource) -> Document:
    metadata: Json = {"name": name, "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"weft:namespace:{name}"))}
    metadata |= {"generation": 1, "labels": {_NAME_LABEL: name}}
    if created:
        metadata["creationTimestamp"] = created
    content: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata, "status": {"phase": "Active"}}
    return document_of(content, Target(resource=resource, version="v1", name=name))
