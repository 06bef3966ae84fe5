"""A WorkloadEntry in the model's words, whether a document of its own or an endpoint of a ServiceEntry."""

from typing import Any

from weft.dialects.fragment import Fragment
from weft.dialects.istio.types.workload_entry import WorkloadEntry
from weft.dialects.served import Subject
from weft.kit.value import labels_of
from weft.model.workload import Workload


def translate(spec: WorkloadEntry, subject: Subject) -> Fragment:
    """One workload; its labels are those of its metadata and, winning, of its specification."""
    entry = workload(spec, subject, subject.key.name, labels=subject.metadata.labels, healthy=_healthy(subject.status))
    return Fragment(key=subject.key, workloads=(entry,))


def workload(
    spec: WorkloadEntry, subject: Subject, name: str, *, labels: dict[str, str] | None = None, healthy: bool = True
) -> Workload:
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
        healthy=healthy,
    )


def _healthy(status: dict[str, Any]) -> bool:
    """Whether no condition ``Healthy`` is ``False``; the status is free-form, so anything may be in it."""
    conditions = status.get("conditions")
    listed = conditions if isinstance(conditions, list) else []
    return not any(isinstance(condition, dict) and _unhealthy(condition) for condition in listed)


def _unhealthy(condition: dict[Any, Any]) -> bool:
    return condition.get("type") == "Healthy" and condition.get("status") == "False"
