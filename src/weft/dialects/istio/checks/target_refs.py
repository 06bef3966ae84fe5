"""What extensions and patches can be attached to (Istio: ``validatePolicyTargetReferences``)."""

from collections.abc import Collection, Sequence

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.types.target_refs import PolicyTargetReference

_GATEWAY_API = "gateway.networking.k8s.io"
_KINDS = {
    ("", "Service"),
    ("core", "Service"),
    ("networking.istio.io", "ServiceEntry"),
    (_GATEWAY_API, "Gateway"),
    (_GATEWAY_API, "GatewayClass"),
}


def check_target_refs(
    here: Here,
    references: Sequence[PolicyTargetReference],
    *,
    selected: bool,
    listed: bool = True,
    more: Collection[tuple[str, str]] = (),
) -> Findings:
    """Kinds that Istio knows, in the document's own namespace; of them weft's proxies are those of Gateways. ``more``
    are others that are served, by group and kind."""
    if references and selected:
        yield here.error("W0106", "only one of targetRefs and a selector can be set", "remove one", at_key=True)
    for index, one in enumerate(references):
        place = here.at(index) if listed else here
        if not one.name:
            yield place.at("name").error("W0105", "the target has no name", "write its name")
        if one.namespace:
            message = "a target is always of the document's own namespace"
            yield place.at("namespace").error("W0121", message, "remove the field", at_key=True)
        if (one.group or "", one.kind) in more:
            continue
        if (one.group or "", one.kind) not in _KINDS:
            message = f'"{one.group or "core"}/{one.kind}" cannot be a target'
            yield place.at("kind").error("W0121", message, "name a Gateway, Service, ServiceEntry or GatewayClass")
        elif one.kind != "Gateway":
            message = f"a {one.kind} is a target of waypoints, which weft has not, so nothing is changed for it"
            yield place.at("kind").warning("W0128", message, "use a selector to reach its sidecars")
