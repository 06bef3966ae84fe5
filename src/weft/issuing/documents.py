"""Secrets, challenges and statuses as documents; pure."""

import base64
import uuid
from datetime import UTC, datetime
from typing import Any

import msgspec

from weft.issuing.proof import Proof
from weft.kit.value import labels_of
from weft.model.document import Document, Key
from weft.model.issuing import Issuance, Issuer, Order

MANAGED_BY = ("app.kubernetes.io/managed-by", "weft")
_ISSUER = "cert-manager.io/issuer-name"
_NAMES = "cert-manager.io/alt-names"
_SERVER = "weft.dev/acme-server"

Content = dict[str, Any]


def certificate_secret(
    issuance: Issuance, chain: bytes, key: bytes, old: Document | None, now: float, authority: bytes = b""
) -> Document:
    """The Secret of an order, with the annotations that cert-manager writes; ``authority`` is who signed here."""
    order, issuer = issuance.order, issuance.issuer
    annotations = dict(order.annotations) | {
        _ISSUER: issuer.key.name,
        "cert-manager.io/issuer-kind": issuer.key.kind,
        "cert-manager.io/certificate-name": order.document.name,
        _NAMES: ",".join(order.names),
        _SERVER: issuer.server,
    }
    data = {"tls.crt": chain, "tls.key": key} | ({"ca.crt": authority} if authority else {})
    return _secret(
        order.secret, "kubernetes.io/tls", data, old, now, labels=dict(order.labels), annotations=annotations
    )


def belongs(secret: Document, order: Order, issuer: Issuer) -> bool:
    """Whether a Secret holds what the order asks for: for other names or from another issuer it is obtained anew."""
    annotations = content_of(secret)["metadata"].get("annotations") or {}
    wanted = {_NAMES: ",".join(order.names), _ISSUER: issuer.key.name, _SERVER: issuer.server}
    return all(annotations.get(name) == value for name, value in wanted.items())


def account_secret(place: Key, field: str, key: bytes, old: Document | None, now: float) -> Document:
    """The Secret with the key of an account."""
    return _secret(place, "Opaque", {field: key}, old, now)


def field_of(secret: Document, field: str) -> bytes:
    """What a Secret has under a key, empty if nothing."""
    try:
        return base64.b64decode(content_of(secret).get("data", {}).get(field, ""))
    except ValueError:
        return b""


def challenge_document(order: Order, proof: Proof, now: float) -> Document:
    """A proof that gateways answer as long as the document is there."""
    name = f"{order.secret.name[:200]}-{uuid.uuid5(uuid.NAMESPACE_URL, proof.token).hex[:10]}"
    key = Key(group="acme.cert-manager.io", kind="Challenge", namespace=order.secret.namespace, name=name)
    content = _new("acme.cert-manager.io/v1", key, now)
    content["metadata"]["labels"] = dict([MANAGED_BY])
    content["spec"] = {"type": "HTTP-01", "dnsName": proof.host, "token": proof.token, "key": proof.answer}
    return _document(key, content, None)


def with_conditions(document: Document, told: tuple[Content, ...], extra: Content, now: float) -> Document | None:
    """The document with conditions in its status, ``None`` if it says so already. One that stays keeps its time."""
    content = content_of(document)
    status = content.get("status")
    status = status if isinstance(status, dict) else {}
    listed = status.get("conditions")
    before = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    kinds = {one["type"] for one in told}
    fresh = [_since(one, before, now) for one in told]
    conditions = [*(one for one in before if one.get("type") not in kinds), *fresh]
    content["status"] = {key: value for key, value in (status | extra).items() if value is not None}
    content["status"]["conditions"] = conditions
    made = msgspec.json.encode(content, order="sorted")
    return None if made == document.content else msgspec.structs.replace(document, content=made)


def condition(kind: str, ok: bool, reason: str, message: str) -> Content:
    """A condition, without its time."""
    return {"type": kind, "status": "True" if ok else "False", "reason": reason, "message": message}


def moment(seconds: float) -> str:
    """RFC 3339."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def content_of(document: Document) -> Content:
    """The whole object."""
    content: Content = msgspec.json.decode(document.content)
    return content


def _since(told: Content, before: list[Content], now: float) -> Content:
    old = next((one for one in before if one.get("type") == told["type"]), None)
    same = old is not None and old.get("status") == told["status"] and "lastTransitionTime" in old
    return told | {"lastTransitionTime": old["lastTransitionTime"] if old is not None and same else moment(now)}


def _secret(
    key: Key,
    kind: str,
    data: dict[str, bytes],
    old: Document | None,
    now: float,
    *,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
) -> Document:
    """Over another Secret of the name: what is not ours in its metadata stays."""
    content = content_of(old) if old is not None else _new("v1", key, now)
    metadata = content["metadata"]
    metadata["labels"] = (metadata.get("labels") or {}) | (labels or {}) | dict([MANAGED_BY])
    metadata["annotations"] = (metadata.get("annotations") or {}) | (annotations or {})
    content["type"] = content.get("type") or kind
    content["data"] = (content.get("data") or {}) | {
        name: base64.b64encode(value).decode() for name, value in data.items()
    }
    return _document(key, content, old)


def _new(version: str, key: Key, now: float) -> Content:
    metadata = {
        "name": key.name,
        "namespace": key.namespace,
        "uid": str(uuid.uuid4()),
        "creationTimestamp": moment(now),
        "generation": 1,
    }
    return {"apiVersion": version, "kind": key.kind, "metadata": metadata}


def _document(key: Key, content: Content, old: Document | None) -> Document:
    metadata = content["metadata"]
    return Document(
        key=key,
        content=msgspec.json.encode(content, order="sorted"),
        created=old.created if old is not None else metadata["creationTimestamp"],
        uid=old.uid if old is not None else metadata["uid"],
        labels=labels_of(metadata.get("labels")),
    )
