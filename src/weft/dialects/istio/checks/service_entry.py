"""What Istio says of a ServiceEntry."""

from weft.dialects.findings import Findings
from weft.dialects.istio.types.service_entry import ServiceEntry
from weft.dialects.metadata import ObjectMeta, check_metadata


def check_service_entry(spec: ServiceEntry, metadata: ObjectMeta) -> Findings:
    """Everything beyond the shape."""
    yield from check_metadata(metadata)
