"""What Istio says of a DestinationRule."""

from weft.dialects.findings import Findings
from weft.dialects.istio.types.destination_rule import DestinationRule
from weft.dialects.metadata import ObjectMeta, check_metadata


def check_destination_rule(spec: DestinationRule, metadata: ObjectMeta) -> Findings:
    """Everything beyond the shape."""
    yield from check_metadata(metadata)
