"""The frozen base of every noun.

A value is compared and hashed by its content, so it can be the key of a cache. The hash is computed once; fields are
keyword-only; collections are tuples. ``Labels`` is a mapping of strings as sorted pairs, because a dict has no hash.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, dataclass_transform

import msgspec

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True, kw_only_default=True, eq_default=True)
class _ValueMeta(msgspec.StructMeta):
    """Gives every subclass the options of its base; ``kw_only`` is the one that msgspec does not inherit."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> "_ValueMeta":
        defaults = {"frozen": True, "kw_only": True, "cache_hash": True}
        return super().__new__(mcls, name, bases, namespace, **(defaults | options))


class Value(msgspec.Struct, metaclass=_ValueMeta):
    """Base of all nouns: frozen, keyword-only, hashable by content."""


Labels = tuple[tuple[str, str], ...]
"""A mapping of strings as pairs sorted by key."""


def labels_of(mapping: Mapping[str, str] | None) -> Labels:
    """The pairs of a mapping, sorted by key; none for ``None``."""
    return tuple(sorted((mapping or {}).items()))


def includes(labels: Labels, wanted: Labels) -> bool:
    """Whether every wanted pair is among the labels (an empty selector matches everything)."""
    return set(wanted) <= set(labels)


def value_at(labels: Labels, key: str) -> str | None:
    """The value of a key among labels."""
    return next((value for name, value in labels if name == key), None)


def first(items: Iterable[_T]) -> _T | None:
    """The first item, or ``None`` when there is none."""
    return next(iter(items), None)
