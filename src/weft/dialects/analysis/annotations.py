"""Annotations of Istio that nothing reads (Istio: ``annotations.K8sAnalyzer``)."""

import difflib
from collections.abc import Iterator, Mapping

from weft.dialects.analysis.annotation_names import ANNOTATIONS
from weft.dialects.analysis.world import Thing, World
from weft.model.finding import Finding, Path

_KINDS = ("Namespace", "Service", "Pod", "Deployment")
_PLACE: Path = ("metadata", "annotations")
_TEMPLATE: Path = ("spec", "template", "metadata", "annotations")


def analyse(world: World) -> Iterator[Finding]:
    """Those that are unknown, on the wrong kind, wrong or deprecated."""
    for thing in world.things:
        if thing.key.kind in _KINDS and thing.key.group in ("", "apps"):
            yield from _check(thing, thing.key.kind, thing.metadata.annotations, _PLACE)
    for runs in world.deployments:
        yield from _check(runs.thing, "Pod", runs.annotations, _TEMPLATE)


def _check(thing: Thing, kind: str, given: Mapping[str, str], place: Path) -> Iterator[Finding]:
    for name, value in given.items():
        if not _is_istios(name):
            continue
        known = ANNOTATIONS.get(name)
        path = (*place, name)
        if known is None:
            near = difflib.get_close_matches(name[:100], ANNOTATIONS, n=1)
            yield thing.said("W0401", f"nothing knows the annotation {name[:100]}", path, _meant(near))
            continue
        if known.kinds and kind not in known.kinds:
            message = f"the annotation {name} is read on {' and '.join(known.kinds)} only"
            yield thing.said("W0402", message, path, "move it, or remove it")
        elif fault := known.fault(value):
            yield thing.said("W0403", f"the annotation {name} has a value that is none: {fault[:200]}", path)
        if known.deprecated:
            yield thing.said("W0404", f"the annotation {name} is deprecated", path, note=True)


def _is_istios(name: str) -> bool:
    domain, _, rest = name.partition("/")
    return bool(rest) and (domain == "istio.io" or domain.endswith(".istio.io") or name in ANNOTATIONS)


def _meant(near: list[str]) -> str:
    return f'did you mean "{near[0]}"?' if near else "remove it"
