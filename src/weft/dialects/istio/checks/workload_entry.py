"""What Istio says of a WorkloadEntry."""

from weft.dialects.findings import Findings
from weft.dialects.istio.types.workload_entry import WorkloadEntry
from weft.dialects.metadata import ObjectMeta, check_metadata


def check_workload_entry(spec: WorkloadEntry, metadata: ObjectMeta) -> Findings:
    """Everything beyond the shape."""
    yield from check_metadata(metadata)
