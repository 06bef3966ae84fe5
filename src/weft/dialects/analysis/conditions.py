"""Documents whose status says that a controller could not do what they ask (Istio: IST0171)."""

from collections.abc import Iterator

from weft.dialects.analysis.world import Thing, World
from weft.model.finding import Finding

_OURS = ("istio.io/", "weft")
_OF_ISTIO = ("istio.io", "gateway.networking.k8s.io")
_PARTIAL = "PartiallyInvalid"


def analyse(world: World) -> Iterator[Finding]:
    """Conditions of mesh kinds, and of others those that a mesh wrote."""
    for thing in world.things:
        own = thing.key.group.endswith(_OF_ISTIO)
        for parent in ((), *(one.conditions for one in thing.status.parents)):
            for condition in parent or thing.status.conditions:
                if condition.type == "Reconciled" or not (own or condition.type.startswith(_OURS)):
                    continue
                if condition.status == "False" or condition.reason == _PARTIAL:
                    message = f"its status says {condition.type}: {condition.reason}: {condition.message}"
                    yield _about(thing, message)


def _about(thing: Thing, message: str) -> Finding:
    return thing.said("W0470", message[:400], ("status",), "mend what the condition names")
