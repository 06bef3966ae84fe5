"""Registrations as the documents that people already have: a ``WorkloadEntry``, and a ``Service`` where there is none.

Pure: the new content from the old one, so that the same registration yields the same bytes and no write.
"""

import uuid
from datetime import UTC, datetime
from typing import Any

import msgspec

from weft.kit.value import labels_of
from weft.model.document import Document, Key
from weft.model.identity import Identity
from weft.model.workload import DRAINING, TLS_MODE_LABEL
from weft.registry.group import Group, GroupTemplate
from weft.registry.registration import RegisteredPort, Registration

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "weft"
GROUP_ANNOTATION = "istio.io/autoRegistrationGroup"
_APP_PROTOCOLS = {"http": "http", "http2": "http2", "grpc": "grpc", "tcp": "tcp"}

Content = dict[str, Any]


def entry_key(namespace: str, name: str) -> Key:
    """The key of a workload's entry."""
    return Key(group="networking.istio.io", kind="WorkloadEntry", namespace=namespace, name=name)


def service_key(namespace: str, name: str) -> Key:
    """The key of a service."""
    return Key(kind="Service", namespace=namespace, name=name)


def is_registered(document: Document) -> bool:
    """Whether the registry wrote this; what a user wrote is never touched."""
    return (MANAGED_BY, MANAGER) in document.labels


def account_of(document: Document) -> str:
    """The service account that a stored entry belongs to."""
    account = _content(document).get("spec", {}).get("serviceAccount", "")
    return account if isinstance(account, str) else ""


def entry_of(
    said: Registration, name: str, caller: Identity, stored: Document | None, now: float, group: Group | None = None
) -> Document:
    """The entry of a registration; the very content of ``stored`` when nothing changed."""
    content = (
        _content(stored) if stored else _new("networking.istio.io/v1", "WorkloadEntry", caller.namespace, name, now)
    )
    labels = content["metadata"]["labels"] = entry_labels(said, group)
    _set_group(content["metadata"], group)
    _set_spec(content, _entry_spec(said, caller, labels, group))
    content["status"] = _status(content.get("status", {}), said, now)
    return _document(entry_key(caller.namespace, name), content, stored)


def entry_labels(said: Registration, group: Group | None) -> dict[str, str]:
    """The labels of a registration's entry."""
    labels = (
        (group.labels if group else {})
        | said.labels
        | {"app": said.service, TLS_MODE_LABEL: "istio" if said.meshed else "disabled", MANAGED_BY: MANAGER}
    )
    return labels | ({"version": said.version} if said.version else {})


def service_of(said: Registration, namespace: str, stored: Document | None, now: float) -> Document | None:
    """The service that a registration needs; ``None`` when a user has written one or there is no port to offer."""
    if not said.ports or (stored is not None and not is_registered(stored)):
        return None
    content = _content(stored) if stored else _new("v1", "Service", namespace, said.service, now)
    content["metadata"]["labels"] = {"app": said.service, MANAGED_BY: MANAGER}
    old = content.get("spec", {})
    ports = _merged(old.get("ports", []), said.ports)
    _set_spec(content, old | {"type": "ClusterIP", "selector": {"app": said.service}, "ports": ports})
    return _document(service_key(namespace, said.service), content, stored)


def _set_group(metadata: Content, group: Group | None) -> None:
    """Whose entry it is, in the ways that Kubernetes and Istio tell."""
    metadata.pop("ownerReferences", None)
    metadata.pop("annotations", None)
    if group is not None:
        metadata["ownerReferences"] = [group.owner]
        metadata["annotations"] = group.spec.metadata.annotations | {GROUP_ANNOTATION: group.name}


def _entry_spec(said: Registration, caller: Identity, labels: dict[str, str], group: Group | None) -> Content:
    """What the workload says of itself comes before the group's template."""
    template = group.spec.template if group else GroupTemplate()
    spec: Content = {
        "address": said.address,
        "ports": {port.key: port.bind_port for port in said.ports},
        "labels": labels,
        "serviceAccount": caller.account,
    }
    filled = {
        "weight": said.weight or template.weight,
        "locality": said.locality or template.locality,
        "network": template.network,
    }
    return spec | {key: value for key, value in filled.items() if value}


def _status(stored: Content, said: Registration, now: float) -> Content:
    """The status with the condition ``Healthy``, whose time changes only with its value."""
    value = "True" if said.serves else "False"
    others = [condition for condition in stored.get("conditions", []) if condition.get("type") != "Healthy"]
    old = next((c for c in stored.get("conditions", []) if c.get("type") == "Healthy"), None)
    since = old["lastTransitionTime"] if old and old.get("status") == value else _moment(now)
    condition = {"type": "Healthy", "status": value, "lastTransitionTime": since}
    if said.drain:
        condition["reason"] = DRAINING
    elif said.flapping and not said.healthy:
        condition |= {"reason": "Flapping", "message": _damped(said)}
    return stored | {"conditions": [*others, condition]}


def _damped(said: Registration) -> str:
    often = f"ill {said.ill_times} times of late" if said.ill_times else "ill too often of late"
    return f"{often}, called again at {_moment(said.held_until)}" if said.held_until else often


def _merged(stored: list[Content], ports: tuple[RegisteredPort, ...]) -> list[Content]:
    """The ports of the service and those of this workload; a number or name that is taken stays as it is."""
    merged = list(stored)
    for port in ports:
        if any(port.port == other.get("port") or port.key == other.get("name") for other in merged):
            continue
        protocol = _APP_PROTOCOLS[port.protocol]
        merged.append({"name": port.key, "port": port.port, "protocol": "TCP", "appProtocol": protocol})
    return sorted(merged, key=lambda port: int(port.get("port", 0)))


def _new(version: str, kind: str, namespace: str, name: str, now: float) -> Content:
    metadata = {
        "name": name,
        "namespace": namespace,
        "uid": str(uuid.uuid4()),
        "creationTimestamp": _moment(now),
        "generation": 0,
    }
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def _set_spec(content: Content, spec: Content) -> None:
    """Replace the spec and, if it differs, count a generation."""
    if content.get("spec") != spec:
        content["spec"] = spec
        content["metadata"]["generation"] = content["metadata"].get("generation", 0) + 1


def _document(key: Key, content: Content, stored: Document | None) -> Document:
    metadata = content["metadata"]
    if stored is not None and content == _content(stored):
        return stored
    return Document(
        key=key,
        content=msgspec.json.encode(content, order="sorted"),
        created=stored.created if stored else metadata["creationTimestamp"],
        uid=stored.uid if stored else metadata["uid"],
        labels=labels_of(metadata["labels"]),
    )


def _content(document: Document) -> Content:
    content: Content = msgspec.json.decode(document.content)
    return content


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
