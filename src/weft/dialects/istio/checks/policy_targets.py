"""What Istio says of the resources that a policy is attached to."""

from collections.abc import Sequence

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.types.matching import PolicyWorkloadSelector
from weft.dialects.istio.types.target_refs import PolicyTargetReference

GATEWAY_API = "gateway.networking.k8s.io"
_KINDS = {
    ("", "Service"),
    ("core", "Service"),
    ("networking.istio.io", "ServiceEntry"),
    (GATEWAY_API, "Gateway"),
    (GATEWAY_API, "GatewayClass"),
}


def check_target_refs(
    here: Here,
    selector: PolicyWorkloadSelector | None,
    one: PolicyTargetReference | None,
    several: Sequence[PolicyTargetReference],
) -> Findings:
    """Istio's ``validatePolicyTargetReferences``: one way to choose, kinds that exist, no other namespace."""
    ways = [
        name for name, given in (("selector", selector), ("targetRef", one), ("targetRefs", several or None)) if given
    ]
    if len(ways) > 1:
        yield here.at(ways[-1]).error(
            "W0106", f"only one of {' and '.join(ways)} can be set", "remove one", at_key=True
        )
    if one is not None:
        yield from _check(here.at("targetRef"), one)
    for index, target in enumerate(several):
        yield from _check(here.at("targetRefs", index), target)


def _check(here: Here, target: PolicyTargetReference) -> Findings:
    if not target.name:
        yield here.at("name").error("W0105", "the name of the target is empty", "name the resource")
    if target.namespace:
        yield here.at("namespace").error("W0106", "a policy is attached in its own namespace only", "remove namespace")
    kind = (target.group or "", target.kind)
    if kind not in _KINDS:
        named = f"{kind[0]}/{kind[1]}" if kind[0] else kind[1]
        advice = "use Service, ServiceEntry, Gateway or GatewayClass, each with its group"
        yield here.error("W0102", f"a policy cannot be attached to a {named[:120]}", advice)
