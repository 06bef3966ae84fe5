"""Fields of objects as sets of paths, and the ``fieldsV1`` that ``metadata.managedFields`` writes them in.

A path's steps are those of fieldsV1: ``f:<name>``, ``k:{"<key>":...}`` for an item of a list that is a map by its keys,
``v:<value>`` for an item of a list that is a set. Other lists are one value (structured-merge-diff's atomic lists).
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from weft.api.errors import Json

Path = tuple[str, ...]
Fields = frozenset[Path]

_encode = msgspec.json.Encoder(order="sorted").encode

_SET: tuple[str, ...] = ()


class Layout:
    """Which lists of a kind are maps by keys or sets, and which mappings are one value; by path of names."""

    def __init__(self, lists: Mapping[Path, tuple[str, ...]], atomic: Iterable[Path] = ()) -> None:
        self.lists = {("metadata", "finalizers"): _SET, ("metadata", "ownerReferences"): ("uid",), **lists}
        self.atomic = frozenset(atomic)

    def keys(self, names: Path, items: list[Any]) -> list[str] | None:
        """The step of each item of a list, ``None`` when the list is one value (or its items have no usable keys)."""
        keys = self.lists.get(names)
        if keys is None:
            return None
        steps = [_value_step(item) if keys == _SET else _key_step(item, keys) for item in items]
        if None in steps or len(set(steps)) != len(steps):
            return None
        return [step for step in steps if step is not None]


_DEFAULTS = {"protocol": "TCP"}
_SERVICE = Layout(
    lists={("spec", "ports"): ("port", "protocol"), ("status", "conditions"): ("type",)}, atomic=[("spec", "selector")]
)
_NAMESPACE = Layout(lists={("status", "conditions"): ("type",)})
_OTHER = Layout(lists={})


def layout_of(group: str, kind: str) -> Layout:
    """The layout of a kind: Kubernetes' own mark some lists, custom resources' lists are atomic."""
    return {("", "Service"): _SERVICE, ("", "Namespace"): _NAMESPACE}.get((group, kind), _OTHER)


def _value_step(item: Any) -> str | None:
    return f"v:{_encode(item).decode()}" if isinstance(item, str | int | bool) else None


def _key_step(item: Any, keys: tuple[str, ...]) -> str | None:
    if not isinstance(item, dict):
        return None
    values = {key: item.get(key, _DEFAULTS.get(key)) for key in keys}
    return None if None in values.values() else f"k:{_encode(values).decode()}"


def flatten(value: Any, layout: Layout, path: Path = (), names: Path = ()) -> dict[Path, Any]:
    """Every leaf of a value by its path; an item of a list that is a map is there itself too."""
    if isinstance(value, dict) and value and names not in layout.atomic:
        found: dict[Path, Any] = {}
        for name, child in value.items():
            found |= flatten(child, layout, (*path, f"f:{name}"), (*names, name))
        return found
    if isinstance(value, list) and value and (steps := layout.keys(names, value)) is not None:
        found = {}
        for step, item in zip(steps, value, strict=True):
            found[*path, step] = None if step.startswith("k:") else item
            if isinstance(item, dict):
                found |= flatten(item, layout, (*path, step), names)
        return found
    return {path: value}


_UNOWNED = frozenset(
    ("f:metadata", f"f:{name}")
    for name in (
        *("name", "namespace", "generateName", "uid", "resourceVersion", "generation", "managedFields", "selfLink"),
        *("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"),
    )
)


def owned(content: Json, layout: Layout) -> dict[Path, Any]:
    """The leaves of an object that somebody can own: not what names it, not what the server sets."""
    leaves = flatten(content, layout)
    ignored = (("f:apiVersion",), ("f:kind",), ("f:metadata",))
    return {path: value for path, value in leaves.items() if path not in ignored and path[:2] not in _UNOWNED}


def to_v1(fields: Fields) -> Json:
    """The set as fieldsV1."""
    tree: Json = {}
    for path in sorted(fields):
        node = tree
        for step in path:
            node = node.setdefault(step, {})
        node["."] = {}
    return _without_lone_dots(tree)


def _without_lone_dots(node: Json) -> Json:
    if list(node) == ["."]:
        return {}
    return {step: _without_lone_dots(child) if step != "." else {} for step, child in node.items()}


def from_v1(tree: Json, path: Path = ()) -> Fields:
    """The set that fieldsV1 says; steps that are no objects are ignored."""
    found: set[Path] = set()
    if path and (not tree or "." in tree):
        found.add(path)
    for step, child in tree.items():
        if step != "." and isinstance(child, dict) and len(path) < _MAX_DEPTH:
            found |= from_v1(child, (*path, step))
    return frozenset(found)


_MAX_DEPTH = 64


def shown(path: Path) -> str:
    """A path for people: ``.spec.ports[port=80,protocol="TCP"].name``."""
    text = ""
    for step in path:
        mark, _, rest = step.partition(":")
        if mark == "f":
            text += f".{rest}"
        elif mark == "k":
            text += "[" + ",".join(f"{k}={_encode(v).decode()}" for k, v in msgspec.json.decode(rest).items()) + "]"
        else:
            text += f"[={rest}]"
    return text
