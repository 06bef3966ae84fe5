"""Shapes of answers: objects, tables for people (``kubectl get``) and metadata alone.

The columns of a kind select values by Kubernetes' JSON paths; dates are shown as ages.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from enum import Enum
from typing import Any

import msgspec

from weft.api.errors import Json
from weft.api.resources import Resource
from weft.dialects.kinds import Column

META = "meta.k8s.io"


class Shape(Enum):
    """How objects are answered."""

    OBJECT = ""
    TABLE = "Table"
    PARTIAL = "PartialObjectMetadata"
    PARTIAL_LIST = "PartialObjectMetadataList"


def partial(content: Json, version: str = "v1") -> Json:
    """The metadata alone."""
    head = {"kind": "PartialObjectMetadata", "apiVersion": f"{META}/{version}"}
    return head | {"metadata": content["metadata"]}


class Tables:
    """Makes the tables of one resource. ``include``: what of the object comes with its row (None, Metadata, Object)."""

    def __init__(self, resource: Resource, version: str, include: str, now: float) -> None:
        self._resource = resource
        self._version = version
        self._include = include
        self._now = now

    def table(self, contents: Iterable[Json], metadata: Json, with_columns: bool = True) -> Json:
        """A table of objects."""
        table: Json = {"kind": "Table", "apiVersion": f"{META}/{self._version}", "metadata": metadata}
        columns = self._resource.columns if with_columns else ()
        definitions = [_definition(column) for column in columns]
        return table | {"columnDefinitions": definitions, "rows": [self._row(content) for content in contents]}

    def _row(self, content: Json) -> Json:
        row: Json = {"cells": [_cell(column, content, self._now) for column in self._resource.columns]}
        if self._include == "None":
            return row
        return row | {"object": content if self._include == "Object" else partial(content, self._version)}


def _definition(column: Column) -> Json:
    return {
        "name": column.name,
        "type": "string" if column.type == "date" else column.type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }


def _cell(column: Column, content: Json, now: float) -> Any:
    if column.cell is not None:
        return column.cell(content)
    if column.counted:
        return sum(len(content.get(name) or ()) for name in column.counted)
    values = values_at(content, column.json_path)
    value = values[0] if len(values) == 1 else values or None
    if value is None:
        return "<unknown>" if column.type == "date" else ""
    if column.type == "date":
        return _age_of(str(value), now)
    if column.type == "string" and not isinstance(value, str):
        return _text(value, several="[*]" in column.json_path)
    return value


def _text(value: Any, several: bool) -> str:
    if several and isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        return ",".join(item if isinstance(item, str) else msgspec.json.encode(item).decode() for item in value)
    return msgspec.json.encode(value).decode()


_STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+|\*)\]|\['([^']*)'\]|\[\?\(@\.([A-Za-z0-9_]+)==\"([^\"]*)\"\)\]")


def values_at(content: Any, json_path: str) -> list[Any]:
    """What a JSON path selects: names, ``[0]``, ``[*]``, ``['name']`` and ``[?(@.name=="value")]``."""
    found = [content]
    for step in _STEP.finditer(json_path):
        name, index, quoted, key, wanted = step.groups()
        if index is not None:
            found = [item for value in found if isinstance(value, list) for item in _items(value, index)]
        elif key is not None:
            lists = (value for value in found if isinstance(value, list))
            found = [item for items in lists for item in items if isinstance(item, dict) and item.get(key) == wanted]
        else:
            field = name if name is not None else quoted
            found = [value[field] for value in found if isinstance(value, dict) and value.get(field) is not None]
    return found


def _items(value: list[Any], index: str) -> list[Any]:
    return value if index == "*" else value[int(index) : int(index) + 1]


def _age_of(timestamp: str, now: float) -> str:
    try:
        then = datetime.fromisoformat(timestamp).timestamp()
    except ValueError:
        return "<invalid>"
    return age(max(0, int(now - then)))


_MINUTE, _HOUR, _DAY, _YEAR = 60, 3_600, 86_400, 365 * 86_400
_AGES: tuple[tuple[float, int, str, int, str], ...] = (
    (2 * _MINUTE, 1, "s", 0, ""),
    (10 * _MINUTE, _MINUTE, "m", 1, "s"),
    (3 * _HOUR, _MINUTE, "m", 0, ""),
    (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
    (48 * _HOUR, _HOUR, "h", 0, ""),
    (8 * _DAY, _DAY, "d", _HOUR, "h"),
    (2 * _YEAR, _DAY, "d", 0, ""),
    (8 * _YEAR, _YEAR, "y", _DAY, "d"),
    (float("inf"), _YEAR, "y", 0, ""),
)
"""Below which age which unit is shown, and which smaller one with it."""


def age(seconds: int) -> str:
    """An age as kubectl shows it: ``45s``, ``5m3s``, ``26h``, ``3d4h``, ``12d``."""
    _, size, unit, smaller, name = next(row for row in _AGES if seconds < row[0])
    count, rest = divmod(seconds, size)
    second = rest // smaller if smaller else 0
    return f"{count}{unit}{second}{name}" if second else f"{count}{unit}"
