"""What a WorkloadGroup's annotations say of capture, in Istio's words; the command line is nearer and wins.

Source: Istio's resource annotations ``traffic.sidecar.istio.io/*``. ``*`` is all, as is nothing.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from weft.agent.capture.config import CaptureConfig, parse_cidrs, parse_ports

_PREFIX = "traffic.sidecar.istio.io/"
_PORTS = {
    "include_outbound_ports": "includeOutboundPorts",
    "exclude_outbound_ports": "excludeOutboundPorts",
    "exclude_inbound_ports": "excludeInboundPorts",
}
_RANGES = {"include_outbound_cidrs": "includeOutboundIPRanges", "exclude_outbound_cidrs": "excludeOutboundIPRanges"}


def annotated(config: CaptureConfig, annotations: Mapping[str, str]) -> CaptureConfig:
    """The configuration with what annotations say where it says nothing. Raises ``UserError``."""
    for field, name in _PORTS.items():
        if said := _said(annotations, name, getattr(config, field)):
            config = replace(config, **{field: parse_ports(said, _PREFIX + name)})
    for field, name in _RANGES.items():
        if said := _said(annotations, name, getattr(config, field)):
            config = replace(config, **{field: parse_cidrs(said, _PREFIX + name)})
    inbound = annotations.get(_PREFIX + "includeInboundPorts", "").strip()
    if not inbound or config.include_inbound_ports or config.every_inbound:
        return config
    if inbound == "*":
        return replace(config, every_inbound=True)
    return replace(config, include_inbound_ports=parse_ports(inbound, _PREFIX + "includeInboundPorts"))


def _said(annotations: Mapping[str, str], name: str, own: tuple[object, ...]) -> str:
    said = annotations.get(_PREFIX + name, "").strip()
    return "" if own or said == "*" else said
