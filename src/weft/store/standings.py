"""How a document stands, as the status that its kind has (Gateway API).

Pure, beside the reports of findings. What others wrote is left: conditions of other types, parents and ancestors of
other controllers. A condition whose status stays keeps its time.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from weft.model.standing import Condition, ListenerStanding, ParentStanding, Standing

_Json = dict[str, Any]
_OF_FINDINGS = "Accepted"


def status_of(standing: Standing, status: _Json, moment: str) -> _Json:
    """The new status from the old one."""
    found = dict(status)
    if standing.conditions is None and "conditions" in found:
        found["conditions"] = [one for one in _objects(found["conditions"]) if one.get("type") != _OF_FINDINGS]
    if standing.conditions is not None:
        found["conditions"] = _conditions(standing.conditions, status.get("conditions"), standing, moment)
    if standing.listeners is not None:
        found["listeners"] = _listeners(standing, status.get("listeners"), moment)
    if standing.parents or (standing.parents is not None and "parents" in status):
        found["parents"] = _parents(standing.parents, "parentRef", status.get("parents"), standing, moment)
    if standing.ancestors is not None:
        found["ancestors"] = _parents(standing.ancestors, "ancestorRef", status.get("ancestors"), standing, moment)
    if standing.addresses is not None:
        found["addresses"] = [{"type": kind, "value": value} for kind, value in standing.addresses]
    if standing.features is not None:
        found["supportedFeatures"] = [{"name": name} for name in standing.features]
    if standing.listener_sets is not None:
        found["attachedListenerSets"] = standing.listener_sets
    return found


def _listeners(standing: Standing, old: object, moment: str) -> list[_Json]:
    known = {one.get("name"): one for one in _objects(old)}
    return [_listener(one, known.get(one.name, {}), standing, moment) for one in standing.listeners or ()]


def _listener(one: ListenerStanding, old: _Json, standing: Standing, moment: str) -> _Json:
    return {
        "name": one.name,
        "supportedKinds": [{"group": group, "kind": kind} for group, kind in one.kinds],
        "attachedRoutes": one.attached,
        "conditions": _conditions(one.conditions, old.get("conditions"), standing, moment),
    }


def _parents(
    parents: Iterable[ParentStanding], field: str, old: object, standing: Standing, moment: str
) -> list[_Json]:
    listed = list(_objects(old))
    others = [one for one in listed if one.get("controllerName") != standing.controller]
    mine = [one for one in listed if one.get("controllerName") == standing.controller]
    return [*others, *(_parent(one, field, mine, standing, moment) for one in parents)]


def _parent(one: ParentStanding, field: str, mine: list[_Json], standing: Standing, moment: str) -> _Json:
    reference = dict(one.parent)
    old = next((each for each in mine if each.get(field) == reference), {})
    return {
        field: reference,
        "controllerName": standing.controller,
        "conditions": _conditions(one.conditions, old.get("conditions"), standing, moment),
    }


def _conditions(conditions: Iterable[Condition], old: object, standing: Standing, moment: str) -> list[_Json]:
    known = {one.get("type"): one for one in _objects(old)}
    told = {one.type: _condition(one, known.get(one.type, {}), standing, moment) for one in conditions}
    return [*(one for kind, one in known.items() if kind not in told), *told.values()]


def _condition(one: Condition, old: _Json, standing: Standing, moment: str) -> _Json:
    status = "True" if one.holds else "False"
    since = old.get("lastTransitionTime") if old.get("status") == status else None
    return {
        "type": one.type,
        "status": status,
        "reason": one.reason,
        "message": one.message,
        "observedGeneration": standing.generation,
        "lastTransitionTime": since if isinstance(since, str) else moment,
    }


def _objects(value: object) -> Iterator[_Json]:
    yield from (one for one in (value if isinstance(value, list) else ()) if isinstance(one, dict))
