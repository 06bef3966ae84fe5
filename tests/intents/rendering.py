"""The model as YAML that every dialect's translation of an intent is compared with.

Fields at their defaults are left out, and so are ``origin`` and ``written``, which name the dialect's own document.
Where a field may hold one of several nouns, the noun's name leads: ``path: {Prefix: {value: /reviews}}``.
"""

import types
import typing
from collections.abc import Iterable
from enum import Enum
from functools import cache
from typing import Any

import msgspec
import yaml

from weft.dialects.fragment import Fragment
from weft.kit.value import Value

_COLLECTIONS = (
    "services",
    "workloads",
    "route_tables",
    "policies",
    "peer_policies",
    "sidecars",
    "gateways",
    "patches",
    "plugins",
    "breakers",
    "rate_limits",
    "access_policies",
    "token_policies",
)
_OF_SEVERAL_TYPES = ("any_of", "none_of")
_LEFT_OUT = ("origin", "written")


def rendered(fragments: Iterable[Fragment]) -> dict[str, Any]:
    """Everything that fragments hold, collection by collection."""
    found = list(fragments)
    lists = {name: [_plain(one) for fragment in found for one in getattr(fragment, name)] for name in _COLLECTIONS}
    return {name: items for name, items in lists.items() if items}


def listed(collections: dict[str, tuple[Value, ...]]) -> dict[str, Any]:
    """Nouns that are there already."""
    return {name: [_plain(one) for one in items] for name, items in collections.items() if items}


def text_of(model: dict[str, Any]) -> str:
    """The content of a ``model.yaml``."""
    return yaml.safe_dump(model, sort_keys=False, width=120)


def _plain(value: Any) -> Any:
    match value:
        case Value():
            return _fields(value)
        case tuple():
            return [_plain(item) for item in value]
        case Enum():
            return value.value
        case bytes():
            return value.decode()
        case _:
            return value


def _fields(value: Value) -> dict[str, Any]:
    shown = {}
    for field in msgspec.structs.fields(type(value)):
        held = getattr(value, field.name)
        if field.name in _LEFT_OUT or held == _default(field):
            continue
        plain = _plain(held)
        if field.name in _OF_SEVERAL_TYPES:
            plain = [{type(one).__name__: each} for one, each in zip(held, plain, strict=True)]
        shown[field.name] = {type(held).__name__: plain} if field.name in _unions(type(value)) else plain
    return shown


def _default(field: Any) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


@cache
def _unions(noun: type) -> frozenset[str]:
    """The fields that may hold more than one kind of noun."""
    hints = typing.get_type_hints(noun)
    return frozenset(name for name, hint in hints.items() if len(_nouns(hint)) > 1)


def _nouns(hint: Any) -> list[type]:
    if typing.get_origin(hint) not in (typing.Union, types.UnionType):
        return []
    return [one for one in typing.get_args(hint) if isinstance(one, type) and issubclass(one, Value)]
