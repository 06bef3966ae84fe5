"""What Istio says of a PeerAuthentication."""

from weft.dialects.findings import Findings
from weft.dialects.istio.types.peer_authentication import PeerAuthentication
from weft.dialects.metadata import ObjectMeta, check_metadata


def check_peer_authentication(spec: PeerAuthentication, metadata: ObjectMeta) -> Findings:
    """Everything beyond the shape."""
    yield from check_metadata(metadata)
