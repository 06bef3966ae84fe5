"""What people say of a kind's fields: one YAML file for each kind, beside this module.

- ``about``: prose above the table.
- ``base``: a specification that is served, into which fields are put one by one.
- ``with``: by path, the specification to use instead for this field and those below it.
- ``beside``: by path, what must stand beside it (in it, for the entry of a list).
- ``values``: by path, a value to try, or a list of them.
- ``works``, ``differs``, ``no_effect``, ``refused``: by path, a remark. ``refused`` also takes ``path=VALUE``.

Except in ``with``, the end of a path will do where a message is in several places.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from weft.dialects.kinds import Kind

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True, kw_only=True)
class Notes:
    """The notes of a kind."""

    about: str = ""
    base: dict[str, Any] = field(default_factory=dict)
    contexts: dict[str, dict[str, Any]] = field(default_factory=dict)
    beside: dict[str, dict[str, Any]] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    works: dict[str, str] = field(default_factory=dict)
    differs: dict[str, str] = field(default_factory=dict)
    no_effect: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def context(self, path: str) -> dict[str, Any]:
        """The specification into which a field is put: that of the longest path that leads to it."""
        return self.contexts.get(longest(self.contexts, path) or "", self.base)

    def neighbours(self, path: str) -> dict[str, Any]:
        """What must stand beside a place, which may be on the way to the field that is tried."""
        found: dict[str, Any] = told(self.beside, path) or {}
        return found


def told(by_path: Mapping[str, Any], path: str) -> Any:
    """What is said of a path: by its longest end that anything is said of; ``None`` if nothing is."""
    ends = [end for end in by_path if path == end or path.endswith(f".{end}")]
    return by_path[max(ends, key=len)] if ends else None


def longest(paths: dict[str, Any], path: str) -> str | None:
    """The longest of some paths that is this one or leads to it."""
    leading = [one for one in paths if path == one or path.startswith((f"{one}.", f"{one}[", f"{one}{{"))]
    return max(leading, key=len, default=None)


def file_of(kind: Kind) -> Path:
    """Where the notes of a kind are."""
    return FOLDER / (f"{kind.plural}.{kind.group}.yaml" if kind.group else f"{kind.plural}.yaml")


def notes_of(kind: Kind) -> Notes:
    """The notes of a kind. Raises ``FileNotFoundError`` and ``TypeError`` (an unknown key)."""
    content: dict[str, Any] = yaml.safe_load(file_of(kind).read_text()) or {}
    return Notes(**{("contexts" if key == "with" else key): value for key, value in content.items()})
