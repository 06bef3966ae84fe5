"""References of Gateway API with their defaults filled in."""

from collections.abc import Sequence

from weft.dialects.findings import Here
from weft.dialects.gateway_api.types.common import (
    GROUP,
    BackendObjectReference,
    ObjectReference,
    ParentReference,
    SecretObjectReference,
)
from weft.dialects.parts import ParentRef, Ref
from weft.dialects.served import Subject
from weft.model.route import Destination


def generation(subject: Subject) -> int:
    """Which state of its specification a document is in."""
    return subject.metadata.generation or 0


def object_ref(ref: ObjectReference, namespace: str) -> Ref:
    """An object of any kind."""
    return Ref(group=ref.group, kind=ref.kind, namespace=ref.namespace or namespace, name=ref.name)


def secret_ref(ref: SecretObjectReference, namespace: str) -> Ref:
    """A Secret unless another kind is named."""
    return Ref(group=ref.group or "", kind=ref.kind or "Secret", namespace=ref.namespace or namespace, name=ref.name)


def backend_ref(ref: BackendObjectReference, namespace: str) -> Ref:
    """A Service unless another kind is named."""
    return Ref(group=ref.group or "", kind=ref.kind or "Service", namespace=ref.namespace or namespace, name=ref.name)


def destination_of(ref: BackendObjectReference, subject: Subject) -> Destination:
    """What rules call a backend: a Service's host, or a name that nothing in the mesh has."""
    named = backend_ref(ref, subject.namespace)
    kind = "svc" if (named.group, named.kind) == ("", "Service") else f"{named.kind}.{named.group}".lower().strip(".")
    host = f"{named.name}.{named.namespace}.{kind}.{subject.settings.domain_suffix}"
    return Destination(host=host, port=ref.port)


def parent_refs(refs: Sequence[ParentReference], subject: Subject) -> tuple[ParentRef, ...]:
    """What a route attaches to: a Gateway unless another kind is named."""
    here = Here(path=("spec", "parentRefs"))
    return tuple(
        ParentRef(
            ref=Ref(
                group=GROUP if one.group is None else one.group,
                kind=one.kind or "Gateway",
                namespace=one.namespace or subject.namespace,
                name=one.name,
            ),
            path=here.at(index).path,
            section=one.section_name or "",
            port=one.port,
        )
        for index, one in enumerate(refs)
    )
