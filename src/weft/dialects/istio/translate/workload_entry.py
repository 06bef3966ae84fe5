"""A WorkloadEntry in the model's words, whether a document of its own or an endpoint of a ServiceEntry."""

from typing import Any

from msgspec.structs import replace

from weft.dialects.fragment import Fragment
from weft.dialects.istio.types.workload_entry import WorkloadEntry
from weft.dialects.served import Subject
from weft.kit.value import first, labels_of
from weft.model.workload import Workload

_LONGEST = 300
"""Characters kept of what a condition says."""


def translate(spec: WorkloadEntry, subject: Subject) -> Fragment:
    """One workload; its labels are those of its metadata and, winning, of its specification."""
    entry = workload(spec, subject, subject.key.name, labels=subject.metadata.labels)
    if (said := _unhealthy(subject.status)) is not None:
        reason, message = (str(said.get(name) or "")[:_LONGEST] for name in ("reason", "message"))
        entry = replace(entry, healthy=False, reason=reason, message=message)
    return Fragment(key=subject.key, workloads=(entry,))


def workload(spec: WorkloadEntry, subject: Subject, name: str, *, labels: dict[str, str] | None = None) -> Workload:
    """An instance of that name."""
    return Workload(
        name=name,
        namespace=subject.namespace,
        address=spec.address or "",
        origin=subject.origin,
        ports=tuple(sorted(spec.ports.items())),
        labels=labels_of({**(labels or {}), **spec.labels}),
        account=spec.service_account or "",
        locality=spec.locality or "",
        network=spec.network or "",
        weight=spec.weight or 0,
    )


def _unhealthy(status: dict[str, Any]) -> dict[Any, Any] | None:
    """The condition ``Healthy`` that is ``False``, if there is one; a status is free-form, anything may be in it."""
    conditions = status.get("conditions")
    listed = conditions if isinstance(conditions, list) else []
    return first(one for one in listed if isinstance(one, dict) and _says_ill(one))


def _says_ill(condition: dict[Any, Any]) -> bool:
    return condition.get("type") == "Healthy" and condition.get("status") == "False"
