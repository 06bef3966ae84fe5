"""What Istio says of a PeerAuthentication."""

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.checks.common import MAX_PORT, check_policy_selector
from weft.dialects.istio.types.peer_authentication import PeerAuthentication
from weft.dialects.metadata import ObjectMeta, check_metadata


def check_peer_authentication(spec: PeerAuthentication, metadata: ObjectMeta) -> Findings:
    """Everything beyond the shape (Istio: ``ValidatePeerAuthentication``)."""
    here = Here(path=("spec",))
    yield from check_metadata(metadata)
    yield from check_policy_selector(here.at("selector"), spec.selector)
    if "port_level_mtls" not in spec.model_fields_set:
        return
    place = here.at("portLevelMtls")
    if not spec.port_level_mtls:
        yield place.error("W0105", "portLevelMtls is empty", "name a port, or remove it", at_key=True)
    elif spec.selector is None or not spec.selector.match_labels:
        advice = "add selector.matchLabels"
        yield place.error("W0106", "ports can be told apart for selected workloads only", advice, at_key=True)
    for port in spec.port_level_mtls:
        if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) <= MAX_PORT):
            yield place.at(port).error("W0115", f'"{port[:80]}" is not a port', "use 1 to 65535", at_key=True)
