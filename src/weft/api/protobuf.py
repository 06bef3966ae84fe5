"""Kubernetes' binary form, read for its own kinds only: ``kubectl create namespace`` sends nothing else.

A body is the four bytes ``k8s\\0`` and a ``runtime.Unknown`` (type, raw object). The tables hold the field numbers of
Kubernetes' ``generated.proto`` files; a field that is in no table is refused rather than lost. Answers are always JSON.
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from weft.api.errors import Json, bad_request
from weft.kit.value import Value

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class _Field(Value):
    """A field: its name, and how its bytes are read: text, number, flag, map (of texts), bytes and amounts (maps of
    them), either, ignored, or a message's name."""

    name: str
    form: str = "text"
    many: bool = False


def _fields(**numbered: str) -> dict[int, _Field]:
    """``name="3 text"``, ``name="3 text many"``."""
    found = {}
    for name, text in numbered.items():
        number, form, *many = text.split()
        found[int(number)] = _Field(name=name, form=form, many=bool(many))
    return found


_BINDING = _fields(metadata="1 ObjectMeta", subjects="2 Subject many", roleRef="3 RoleRef")
_SUBJECT_REVIEW = _fields(metadata="1 ObjectMeta", status="2 ignored")
_MESSAGES: Mapping[str, Mapping[int, _Field]] = {
    "ObjectMeta": _fields(
        name="1 text", generateName="2 text", namespace="3 text", selfLink="4 ignored", uid="5 text",
        resourceVersion="6 text", generation="7 ignored", creationTimestamp="8 ignored", deletionTimestamp="9 ignored",
        labels="11 map", annotations="12 map", finalizers="14 text many", managedFields="17 ignored",
    ),
    "Namespace": _fields(metadata="1 ObjectMeta", spec="2 NamespaceSpec", status="3 ignored"),
    "NamespaceSpec": _fields(finalizers="1 text many"),
    "Service": _fields(metadata="1 ObjectMeta", spec="2 ServiceSpec", status="3 ignored"),
    "ServiceSpec": _fields(
        ports="1 ServicePort many", selector="2 map", clusterIP="3 text", type="4 text", externalIPs="5 text many",
        sessionAffinity="7 text", loadBalancerIP="8 text", externalName="10 text", externalTrafficPolicy="11 text",
        healthCheckNodePort="12 number", publishNotReadyAddresses="13 flag", ipFamilyPolicy="17 text",
        clusterIPs="18 text many", ipFamilies="19 text many", internalTrafficPolicy="22 text",
    ),
    "ServicePort": _fields(
        name="1 text", protocol="2 text", port="3 number", targetPort="4 either", nodePort="5 number",
        appProtocol="6 text",
    ),
    "ConfigMap": _fields(metadata="1 ObjectMeta", data="2 map", binaryData="3 bytes", immutable="4 flag"),
    "Secret": _fields(
        metadata="1 ObjectMeta", data="2 bytes", type="3 text", stringData="4 map", immutable="5 flag",
    ),
    "ResourceQuota": _fields(metadata="1 ObjectMeta", spec="2 QuotaSpec", status="3 ignored"),
    "QuotaSpec": _fields(hard="1 amounts", scopes="2 text many", scopeSelector="3 ScopeSelector"),
    "ScopeSelector": _fields(matchExpressions="1 ScopeRequirement many"),
    "ScopeRequirement": _fields(scopeName="1 text", operator="2 text", values="3 text many"),
    "DeleteOptions": _fields(
        gracePeriodSeconds="1 number", preconditions="2 Preconditions", orphanDependents="3 flag",
        propagationPolicy="4 text", dryRun="5 text many",
    ),
    "Preconditions": _fields(uid="1 text", resourceVersion="2 text"),
    "SelfSubjectAccessReview": _fields(metadata="1 ObjectMeta", spec="2 AccessReviewSpec", status="3 ignored"),
    "AccessReviewSpec": _fields(resourceAttributes="1 ResourceAttributes", nonResourceAttributes="2 PathAttributes"),
    "ResourceAttributes": _fields(
        namespace="1 text", verb="2 text", group="3 text", version="4 text", resource="5 text", subresource="6 text",
        name="7 text",
    ),
    "PathAttributes": _fields(path="1 text", verb="2 text"),
    "SelfSubjectRulesReview": _fields(metadata="1 ObjectMeta", spec="2 RulesReviewSpec", status="3 ignored"),
    "RulesReviewSpec": _fields(namespace="1 text"),
    "Role": _fields(metadata="1 ObjectMeta", rules="2 PolicyRule many"),
    "ClusterRole": _fields(
        metadata="1 ObjectMeta", rules="2 PolicyRule many", aggregationRule="3 AggregationRule",
    ),
    "PolicyRule": _fields(
        verbs="1 text many", apiGroups="2 text many", resources="3 text many", resourceNames="4 text many",
        nonResourceURLs="5 text many",
    ),
    "AggregationRule": _fields(clusterRoleSelectors="1 LabelSelector many"),
    "LabelSelector": _fields(matchLabels="1 map", matchExpressions="2 Requirement many"),
    "Requirement": _fields(key="1 text", operator="2 text", values="3 text many"),
    "RoleBinding": _BINDING,
    "ClusterRoleBinding": _BINDING,
    "Subject": _fields(kind="1 text", apiGroup="2 text", name="3 text", namespace="4 text"),
    "RoleRef": _fields(apiGroup="1 text", kind="2 text", name="3 text"),
    "SelfSubjectReview": _SUBJECT_REVIEW,
}  # fmt: skip


def from_protobuf(body: bytes) -> Json:
    """The object of a binary body, as JSON values. Raises ``ApiError`` 400."""
    if not body.startswith(_MAGIC):
        raise bad_request("the body is not in Kubernetes' binary form")
    envelope = dict(_wire(body[len(_MAGIC) :]))
    head = dict(_wire(_as_bytes(envelope.get(1, b""))))
    kind = _text(head.get(2, b""))
    if kind not in _MESSAGES:
        raise bad_request(f'the kind "{kind[:64]}" is not read in its binary form; send JSON')
    content = _message(_as_bytes(envelope.get(2, b"")), kind)
    return {"apiVersion": _text(head.get(1, b"")), "kind": kind} | content


def _message(body: bytes, name: str) -> Json:
    found: Json = {}
    for number, raw in _wire(body):
        field = _MESSAGES[name].get(number)
        if field is None:
            raise bad_request(f"field {number} of {name} is not read in its binary form; send JSON")
        value = _value(raw, field.form)
        if field.form in ("map", "bytes", "amounts"):
            found.setdefault(field.name, {}).update(value)
        elif field.many:
            found.setdefault(field.name, []).append(value)
        elif value not in ("", 0, None, {}):  # the binary form says unset like this
            found[field.name] = value
    return found


def _value(raw: bytes | int, form: str) -> Any:
    match form:
        case "ignored":
            return None
        case "text":
            return _text(raw)
        case "number":
            return _number(raw)
        case "flag":
            return bool(_number(raw))
        case "map":
            pair = dict(_wire(_as_bytes(raw)))
            return {_text(pair.get(1, b"")): _text(pair.get(2, b""))}
        case "bytes":
            pair = dict(_wire(_as_bytes(raw)))
            return {_text(pair.get(1, b"")): base64.b64encode(_as_bytes(pair.get(2, b""))).decode()}
        case "amounts":
            pair = dict(_wire(_as_bytes(raw)))
            amount = dict(_wire(_as_bytes(pair.get(2, b""))))
            return {_text(pair.get(1, b"")): _text(amount.get(1, b""))}
        case "either":
            either = dict(_wire(_as_bytes(raw)))
            return _text(either.get(3, b"")) if either.get(1) else _number(either.get(2, 0))
    return _message(_as_bytes(raw), form)


def _wire(body: bytes) -> Iterator[tuple[int, bytes | int]]:
    """The fields of a message, in their order."""
    position = 0
    while position < len(body):
        tag, position = _varint(body, position)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, position = _varint(body, position)
            yield number, value
            continue
        if kind not in (_FIXED64, _BYTES, _FIXED32):
            raise _cut_off()
        size, position = _varint(body, position) if kind == _BYTES else (8 if kind == _FIXED64 else 4, position)
        if position + size > len(body):
            raise _cut_off()
        yield number, body[position : position + size]
        position += size


def _varint(body: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(body):
            break
        byte = body[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise _cut_off()


def _text(raw: bytes | int) -> str:
    try:
        return _as_bytes(raw).decode()
    except UnicodeDecodeError:
        raise _cut_off() from None


def _as_bytes(raw: bytes | int) -> bytes:
    if isinstance(raw, int):
        raise _cut_off()
    return raw


def _number(raw: bytes | int) -> int:
    """Negative numbers are 64 bits wide (two's complement)."""
    if not isinstance(raw, int):
        raise _cut_off()
    return raw - (1 << 64) if raw >> 63 else raw


def _cut_off() -> Exception:
    return bad_request("the body is damaged: it is not in Kubernetes' binary form")
