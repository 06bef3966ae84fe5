"""The merge of server-side apply: what a manager declares goes in, what it declared before and nobody owns goes out."""

from collections.abc import Iterable
from typing import Any

from weft.api.errors import Json
from weft.api.fields import Layout, Path


def merged(live: Any, declared: Any, layout: Layout, names: Path = ()) -> Any:
    """``live`` with everything that ``declared`` says; lists that are maps or sets are merged item by item."""
    if isinstance(live, dict) and isinstance(declared, dict) and names not in layout.atomic:
        children = {name: merged(live.get(name), child, layout, (*names, name)) for name, child in declared.items()}
        return live | children
    if isinstance(live, list) and isinstance(declared, list):
        return _merged_lists(live, declared, layout, names)
    return declared


def _merged_lists(live: list[Any], declared: list[Any], layout: Layout, names: Path) -> list[Any]:
    live_steps, declared_steps = layout.keys(names, live), layout.keys(names, declared)
    if live_steps is None or declared_steps is None:
        return declared
    items = dict(zip(live_steps, live, strict=True))
    for step, item in zip(declared_steps, declared, strict=True):
        items[step] = merged(items.get(step), item, layout, names)
    return list(items.values())


def without(content: Json, paths: Iterable[Path], layout: Layout) -> Json:
    """The object without the fields at the paths, and without what became empty by that.

    An item of a list goes before its fields do: without its keys it could not be found.
    """
    for path in sorted(paths, key=len):
        content = _without(content, path, layout, ())
    return content


def _without(value: Any, path: Path, layout: Layout, names: Path) -> Any:
    step, rest = path[0], path[1:]
    if isinstance(value, dict) and step.startswith("f:"):
        return _without_field(value, step[2:], rest, layout, names)
    if isinstance(value, list) and (steps := layout.keys(names, value)) is not None and step in steps:
        return _without_item(value, steps.index(step), rest, layout, names)
    return value


def _without_field(value: Json, name: str, rest: Path, layout: Layout, names: Path) -> Json:
    others = {key: child for key, child in value.items() if key != name}
    if name not in value or not rest:
        return others
    left = _without(value[name], rest, layout, (*names, name))
    emptied = left in ({}, []) and value[name] not in ({}, [])
    return others if emptied else value | {name: left}


def _without_item(items: list[Any], index: int, rest: Path, layout: Layout, names: Path) -> list[Any]:
    left = [_without(items[index], rest, layout, names)] if rest else []
    return [*items[:index], *left, *items[index + 1 :]]
