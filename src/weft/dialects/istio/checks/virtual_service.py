"""What Istio says of a VirtualService."""

from weft.dialects.findings import Findings
from weft.dialects.istio.types.virtual_service import VirtualService
from weft.dialects.metadata import ObjectMeta, check_metadata


def check_virtual_service(spec: VirtualService, metadata: ObjectMeta) -> Findings:
    """Everything beyond the shape."""
    yield from check_metadata(metadata)
