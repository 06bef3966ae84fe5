"""What can be wrong with the attachment of a policy."""

from weft.dialects.findings import Findings, Here
from weft.dialects.syntax import is_label_key, is_label_value
from weft.dialects.weft.types.targets import Attached, Selecting, TargetRef

_CORE = ("",)
_ISTIO = "networking.istio.io"
_GATEWAY_API = "gateway.networking.k8s.io"
GROUPS = {
    "Service": _CORE,
    "ServiceEntry": (_ISTIO,),
    "VirtualService": (_ISTIO,),
    "Gateway": (_GATEWAY_API, _ISTIO),
    "HTTPRoute": (_GATEWAY_API,),
    "GRPCRoute": (_GATEWAY_API,),
}
"""Groups of the kinds that policies are attached to; the first is meant when none is written."""


def group_of(target: TargetRef) -> str:
    """The group of a target, where it is left out the usual one of its kind."""
    return GROUPS.get(target.kind, _CORE)[0] if target.group is None else target.group


def check_attachment(here: Here, spec: Attached, kinds: tuple[str, ...]) -> Findings:
    """One way of attaching, to ``kinds`` alone."""
    selector = spec.selector if isinstance(spec, Selecting) else None
    if selector is not None:
        place = here.at("selector")
        if spec.target_refs:
            yield place.error("W0106", "targetRefs and selector exclude each other", "keep one of them", at_key=True)
        for key, value in selector.match_labels.items():
            if not is_label_key(key) or not is_label_value(value):
                yield place.at("matchLabels", key).error("W0114", f'"{key[:80]}={value[:80]}" cannot be a label')
    elif not spec.target_refs:
        advice = f"name a {' or a '.join(kinds)}"
        yield here.at("targetRefs").error("W0105", "the policy says nothing of what it is for", advice, at_key=True)
    for index, target in enumerate(spec.target_refs):
        yield from _check_target(here.at("targetRefs", index), target, kinds)


def _check_target(here: Here, target: TargetRef, kinds: tuple[str, ...]) -> Findings:
    if target.kind not in kinds:
        message = f'the policy cannot be attached to a "{target.kind[:80]}"'
        yield here.at("kind").error("W0240", message, f"use {', '.join(kinds)}")
    elif group_of(target) not in GROUPS[target.kind]:
        group = " or ".join(f'"{one}"' for one in GROUPS[target.kind])
        yield here.at("group").error("W0240", f"a {target.kind} is not of that group", f"write {group}")
    if not target.name:
        yield here.at("name").error("W0105", "the target has no name", "write its name", at_key=True)
