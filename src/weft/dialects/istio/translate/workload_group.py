"""A WorkloadGroup says nothing to the mesh: the registry makes entries by it, which do."""

from weft.dialects.fragment import Fragment
from weft.dialects.istio.types.workload_group import WorkloadGroup
from weft.dialects.served import Subject


def translate(_: WorkloadGroup, subject: Subject) -> Fragment:
    """Nothing."""
    return Fragment(key=subject.key)
