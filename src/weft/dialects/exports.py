"""``exportTo``: from which namespaces something can be seen."""

from collections.abc import Sequence

from weft.dialects.findings import Findings, Here
from weft.dialects.syntax import is_istio_label

_PUBLIC, _OWN, _NOBODY = "*", ".", "~"


def check_export_to(
    here: Here, export_to: Sequence[str], namespace: str, *, nobody_allowed: bool = False, selective: bool = False
) -> Findings:
    """Istio's ``validateExportTo``. ``nobody_allowed``: services may be hidden from all with ``~``; ``selective``:
    a DestinationRule with a workloadSelector reaches no other namespace."""
    seen: set[str] = set()
    for index, entry in enumerate(export_to):
        place = here.at(index)
        if entry not in (_PUBLIC, _OWN, _NOBODY) and not is_istio_label(entry):
            yield place.error("W0113", f'"{entry[:80]}" is not a namespace', "use *, . or the name of a namespace")
        if entry == _NOBODY and not nobody_allowed:
            yield place.error("W0113", "~ (nobody) is for services only", "use . for the own namespace")
        meant = namespace if entry == _OWN else entry
        if meant in seen:
            yield place.error("W0113", f'"{meant[:80]}" is there twice', "remove one of them")
        seen.add(meant)
    yield from _check_together(here, export_to, seen)
    if selective:
        yield from _check_selective(here, export_to, namespace)


def _check_together(here: Here, export_to: Sequence[str], seen: set[str]) -> Findings:
    if len(export_to) < 2:
        return
    if _PUBLIC in seen and len(seen) > 1:
        yield here.error("W0113", "exportTo has * and other entries", "* alone means everybody", at_key=True)
    if _NOBODY in seen and len(seen) > 1:
        yield here.error("W0113", "exportTo has ~ (nobody) and other entries", "remove one or the other", at_key=True)


def _check_selective(here: Here, export_to: Sequence[str], namespace: str) -> Findings:
    if any(entry not in (_OWN, namespace) for entry in export_to) or len(export_to) > 1:
        advice = 'use exportTo: ["."]'
        yield here.error("W0113", "a rule with workloadSelector is for its own namespace only", advice, at_key=True)
