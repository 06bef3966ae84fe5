"""Who owns which field: ``metadata.managedFields``, kept up through updates and decided by server-side apply.

The rules are those of Kubernetes' structured-merge-diff: an update takes what it changes from everybody else; an apply
owns all it declares, conflicts with others over fields that it would change, and takes them when forced. As Kubernetes'
API server does, kubectl's server-side apply takes without force what its client-side apply had written.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from weft.api.errors import ApiError, Json, named, qualified
from weft.api.fields import Fields, Layout, Path, from_v1, layout_of, owned, shown, to_v1
from weft.api.merge import merged, without
from weft.api.paths import Target
from weft.kit.value import Value

_APPLY, _UPDATE = "Apply", "Update"
_MAX_MANAGERS = 64
_KUBECTL = "kubectl"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Manager(Value):
    """One owner and what it owns."""

    name: str
    operation: str
    api_version: str
    fields: Fields
    subresource: str = ""
    time: str = ""

    def same(self, other: "Manager") -> bool:
        """Whether both are one entry."""
        mine = (self.name, self.operation, self.subresource)
        return mine == (other.name, other.operation, other.subresource)

    def owning(self, fields: Fields) -> "Manager":
        """The manager with other fields."""
        return Manager(
            name=self.name,
            operation=self.operation,
            api_version=self.api_version,
            fields=fields,
            subresource=self.subresource,
            time=self.time,
        )


class Writer(Value):
    """Who writes now: the client's ``fieldManager`` and the time."""

    name: str
    now: str


def after_update(old: Json | None, new: Json, writer: Writer, target: Target) -> Json:
    """The object with ``managedFields`` that tell of this update."""
    layout = _layout(target)
    before = owned(old, layout) if old else {}
    after = owned(new, layout)
    changes = frozenset(path for path, value in after.items() if path not in before or before[path] != value)
    managers = _managers(new if "managedFields" in new["metadata"] else old or {})
    mine = _mine(managers, _UPDATE, writer, target)
    others = [manager.owning(manager.fields - changes) for manager in managers if not manager.same(mine)]
    return _with_managers(new, [*others, mine.owning(mine.fields | changes)], managers, after.keys(), writer)


def applied(live: Json | None, declared: Json, writer: Writer, target: Target, force: bool) -> Json:
    """The object after ``declared`` was applied. Raises ``ApiError`` 409 for conflicts unless ``force``."""
    layout = _layout(target)
    managers = _managers(live or {})
    mine = _mine(managers, _APPLY, writer, target)
    wanted = owned(declared, layout)
    current = owned(live, layout) if live else {}
    others = [manager for manager in managers if not manager.same(mine)]
    contested = frozenset(path for path, value in wanted.items() if path not in current or current[path] != value)
    if not force:
        conceded = _last_applied(live, current, layout) if live and writer.name == _KUBECTL else frozenset[Path]()
        _refuse_conflicts(others, contested - conceded, target)
    others = [manager.owning(manager.fields - contested) for manager in others]
    declared_fields = frozenset(wanted)
    theirs = frozenset[Path]().union(*(manager.fields for manager in others))
    dropped = mine.fields - _with_parents(declared_fields | theirs)
    content = without(merged(live or {}, declared, layout), dropped, layout)
    existing = owned(content, layout).keys()
    return _with_managers(content, [*others, mine.owning(declared_fields)], managers, existing, writer)


def _last_applied(live: Json, current: dict[Path, Any], layout: Layout) -> Fields:
    """What ``kubectl apply`` has written on the client's side, and nobody has changed since."""
    try:
        said = msgspec.json.decode((live["metadata"].get("annotations") or {}).get(_LAST_APPLIED, "null"))
        before = owned(said, layout)
    except (msgspec.DecodeError, AttributeError, KeyError, TypeError, RecursionError):
        return frozenset()
    return frozenset(path for path, value in before.items() if path in current and current[path] == value)


def _layout(target: Target) -> Layout:
    return layout_of(target.resource.kind.group, target.resource.kind.kind)


def _mine(managers: Iterable[Manager], operation: str, writer: Writer, target: Target) -> Manager:
    fresh = Manager(
        name=writer.name,
        operation=operation,
        api_version=target.api_version,
        fields=frozenset(),
        subresource=target.subresource,
    )
    return next((manager for manager in managers if manager.same(fresh)), fresh)


def _refuse_conflicts(others: Iterable[Manager], contested: Fields, target: Target) -> None:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f'conflict with "{manager.name}" using {manager.api_version}',
            "field": shown(path),
        }
        for manager in others
        for path in sorted(manager.fields & contested)
    ]
    if not causes:
        return
    count = f"{len(causes)} conflict{'s' if len(causes) > 1 else ''}"
    what = "; ".join(f"{cause['message']}: {cause['field']}" for cause in causes)
    kind = target.resource.kind
    name = qualified(kind.plural, kind.group)
    message = f'Apply to {name} "{target.name}" failed with {count}: {what}'
    details = named(kind.plural, kind.group, target.name) | {"causes": causes}
    raise ApiError(409, "Conflict", message, details)


def _with_managers(
    content: Json, managers: Iterable[Manager], before: list[Manager], existing: Iterable[Path], writer: Writer
) -> Json:
    exists = _with_parents(existing)
    entries = [manager.owning(manager.fields & exists) for manager in managers]
    written = [_entry(manager, before, writer) for manager in entries if manager.fields]
    metadata = {key: value for key, value in content["metadata"].items() if key != "managedFields"}
    return content | {"metadata": metadata | ({"managedFields": written} if written else {})}


def _with_parents(paths: Iterable[Path]) -> Fields:
    return frozenset(path[:length] for path in paths for length in range(1, len(path) + 1))


def _entry(manager: Manager, before: list[Manager], writer: Writer) -> Json:
    """An entry keeps its time while it owns the same fields."""
    known = any(manager.same(other) and manager.fields == other.fields for other in before)
    entry: Json = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": manager.api_version,
        "time": manager.time if known and manager.time else writer.now,
        "fieldsType": "FieldsV1",
        "fieldsV1": to_v1(manager.fields),
    }
    return entry | ({"subresource": manager.subresource} if manager.subresource else {})


def _managers(content: Json) -> list[Manager]:
    """The entries of an object; those that make no sense are dropped, as Kubernetes does."""
    entries = content.get("metadata", {}).get("managedFields")
    found = [_manager(entry) for entry in entries[:_MAX_MANAGERS]] if isinstance(entries, list) else []
    return [manager for manager in found if manager is not None]


def _manager(entry: Any) -> Manager | None:
    fields = entry.get("fieldsV1") if isinstance(entry, dict) else None
    if not isinstance(fields, dict) or entry.get("operation") not in (_APPLY, _UPDATE):
        return None
    texts = {key: entry.get(key) or "" for key in ("manager", "apiVersion", "subresource", "time")}
    if not all(isinstance(text, str) for text in texts.values()):
        return None
    return Manager(
        name=texts["manager"],
        operation=entry["operation"],
        api_version=texts["apiVersion"],
        fields=from_v1(fields),
        subresource=texts["subresource"],
        time=texts["time"],
    )
