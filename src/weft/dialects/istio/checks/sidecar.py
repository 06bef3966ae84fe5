"""What Istio says of a Sidecar."""

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.checks.common import check_destination, check_selected
from weft.dialects.istio.checks.destination_rule import check_connection_pool
from weft.dialects.istio.checks.sidecar_listeners import check_egress, check_ingress
from weft.dialects.istio.types import sidecar as wire
from weft.dialects.metadata import ObjectMeta, check_metadata


def check_sidecar(spec: wire.Sidecar, metadata: ObjectMeta) -> Findings:
    """Everything beyond the shape (Istio: ``ValidateSidecar``)."""
    here = Here(path=("spec",))
    yield from check_metadata(metadata)
    yield from _check_selector(here.at("workloadSelector"), spec)
    rest = (spec.ingress, spec.egress, spec.inbound_connection_pool, spec.outbound_traffic_policy)
    if rest == ((), (), None, None):
        advice = "set egress, ingress or outboundTrafficPolicy"
        yield here.error("W0105", "the sidecar says nothing", advice, at_key=True)
    yield from check_ingress(here.at("ingress"), spec.ingress)
    yield from check_egress(here.at("egress"), spec.egress, metadata.namespace or "")
    yield from check_connection_pool(here.at("inboundConnectionPool"), spec.inbound_connection_pool)
    yield from _check_outbound(here.at("outboundTrafficPolicy"), spec.outbound_traffic_policy)


def _check_selector(here: Here, spec: wire.Sidecar) -> Findings:
    if spec.workload_selector is None:
        return
    yield from check_selected(here.at("labels"), spec.workload_selector.labels)
    if not spec.workload_selector.labels:
        advice = "remove the selector if that is meant"
        yield here.warning("W0114", "the selector has no labels, so it selects every workload", advice)


def _check_outbound(here: Here, policy: wire.OutboundTrafficPolicy | None) -> Findings:
    if policy is None or policy.egress_proxy is None:
        return
    place = here.at("egressProxy")
    if policy.mode != "ALLOW_ANY":
        yield place.error("W0106", "only what passes can be sent to a proxy", "set mode: ALLOW_ANY", at_key=True)
    if policy.egress_proxy.port is None:
        yield place.error("W0105", "the port is missing", "set port.number", at_key=True)
    yield from check_destination(place, policy.egress_proxy)
