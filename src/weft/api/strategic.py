"""Kubernetes' strategic merge patch, for its own kinds: lists whose items have a key are merged by it.

Directives: ``$patch`` (``replace``, ``delete``), ``$retainKeys``, ``$deleteFromPrimitiveList/<list>`` and
``$setElementOrder/<list>``. See "Strategic Merge Patch" in the Kubernetes documentation.
"""

from collections.abc import Mapping
from typing import Any

from weft.api.errors import Json, bad_request

_PATCH, _RETAIN = "$patch", "$retainKeys"
_DROP, _ORDER = "$deleteFromPrimitiveList/", "$setElementOrder/"
_PRIMITIVE = ""

_Keys = Mapping[tuple[str, ...], str]

_EVERY_KIND: dict[tuple[str, ...], str] = {
    ("metadata", "finalizers"): _PRIMITIVE,
    ("metadata", "ownerReferences"): "uid",
}
_MERGE_KEYS: Mapping[str, _Keys] = {
    "Service": _EVERY_KIND | {("spec", "ports"): "port", ("status", "conditions"): "type"},
    "Namespace": _EVERY_KIND | {("status", "conditions"): "type"},
}


def strategic_patch(target: Json, patch: Any, kind: str) -> Json:
    """The patched object. Raises ``ApiError`` 400 for directives that make no sense."""
    if not isinstance(patch, dict):
        raise bad_request("a strategic merge patch is an object")
    return _merge(target, patch, (), _MERGE_KEYS.get(kind, _EVERY_KIND))


def _merge(target: Json, patch: Json, names: tuple[str, ...], keys: _Keys) -> Json:
    directive = patch.get(_PATCH)
    if directive == "replace":
        return {name: value for name, value in patch.items() if name != _PATCH}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise bad_request(f"unknown directive $patch: {str(directive)[:64]}")
    result = dict(target)
    if _RETAIN in patch:
        retained = _strings(patch[_RETAIN], _RETAIN)
        result = {name: value for name, value in result.items() if name in retained}
    for name, value in patch.items():
        if not name.startswith("$"):
            _merge_field(result, name, value, patch, names, keys)
        elif name.startswith(_DROP):
            _drop(result, name.removeprefix(_DROP), value)
    return result


def _merge_field(result: Json, name: str, value: Any, patch: Json, names: tuple[str, ...], keys: _Keys) -> None:
    path = (*names, name)
    if value is None:
        result.pop(name, None)
    elif isinstance(value, dict):
        before = result.get(name)
        result[name] = _merge(before if isinstance(before, dict) else {}, value, path, keys)
    elif isinstance(value, list) and path in keys:
        before = result.get(name)
        order = patch.get(_ORDER + name)
        result[name] = _merge_list(before if isinstance(before, list) else [], value, order, path, keys)
    else:
        result[name] = value


def _drop(result: Json, name: str, unwanted: Any) -> None:
    if not isinstance(unwanted, list):
        raise bad_request(f"{_DROP}{name} must be a list")
    if isinstance(result.get(name), list):
        result[name] = [item for item in result[name] if item not in unwanted]


def _merge_list(target: list[Any], patch: list[Any], order: Any, path: tuple[str, ...], keys: _Keys) -> list[Any]:
    key = keys[path]
    if key == _PRIMITIVE:
        return [*target, *(item for item in patch if item not in target)]
    if {_PATCH: "replace"} in patch:
        return [item for item in patch if item != {_PATCH: "replace"}]
    items = {_key_of(item, key): item for item in target}
    for change in patch:
        name = _key_of(change, key)
        if change.get(_PATCH) == "delete":
            items.pop(name, None)
        else:
            items[name] = _merge(items.get(name, {}), change, path, keys)
    return _ordered(items, order, key)


def _ordered(items: dict[Any, Any], order: Any, key: str) -> list[Any]:
    wanted = [_key_of(item, key) for item in order] if isinstance(order, list) else []
    known = [name for name in wanted if name in items]
    return [items[name] for name in dict.fromkeys([*known, *items])]


def _key_of(item: Any, key: str) -> Any:
    value = item.get(key) if isinstance(item, dict) else None
    if not isinstance(value, str | int):
        raise bad_request(f"an item of a list that is merged by its {key} has none")
    return value


def _strings(value: Any, name: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise bad_request(f"{name} must be a list of names")
    return value
