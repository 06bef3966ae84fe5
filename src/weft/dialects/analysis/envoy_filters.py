"""Patches that may not be made where they are meant to (Istio: ``EnvoyPatchAnalyzer``)."""

from collections.abc import Iterator

from weft.dialects.analysis.world import World
from weft.dialects.istio.types.envoy_filter import ConfigPatch, EnvoyFilter
from weft.model.finding import Finding

_RELATIVE = ("INSERT_BEFORE", "INSERT_AFTER", "REMOVE", "REPLACE", "MERGE")
_RULES = ("ROUTE_CONFIGURATION", "HTTP_ROUTE")
_FIRST = "set priority, or use INSERT_FIRST or ADD"


def analyse(world: World) -> Iterator[Finding]:
    """Operations that depend on other patches, and those that Istio ignores."""
    for thing, spec in world.of("EnvoyFilter", EnvoyFilter):
        for index, one in enumerate(spec.config_patches):
            path = ("spec", "configPatches", index, "patch", "operation")
            operation = one.patch.operation if one.patch else None
            if operation in _RELATIVE and not spec.priority and not _ignored(one):
                message = f"{operation} depends on what other patches did before, and no priority says when it is made"
                yield thing.said("W0460", message, path, _FIRST)
            if _ignored(one):
                message = f"Istio ignores {operation} of {one.apply_to}"
                yield thing.said("W0461", message, path, "use another operation if the document is for Istio too")


def _ignored(one: ConfigPatch) -> bool:
    operation = one.patch.operation if one.patch else None
    if operation in ("ADD", "REMOVE"):
        return one.apply_to in _RULES
    return operation == "REPLACE" and one.apply_to not in ("HTTP_FILTER", "NETWORK_FILTER")
