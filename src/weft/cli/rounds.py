"""Texts of YAML or JSON that are changed and written again: comments, order and quotes stay, other documents too.

A text is split at its document markers, so that a document that is not changed is not even read and written.
"""

import io
import json
import re
from collections.abc import Iterator
from typing import Any

from weft.kit.errors import UserError

_MARKER = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
_DASH = re.compile(r"^( *)[^\s#-][^\n]*:[ \t]*(?:#[^\n]*)?\n(?:[ \t]*(?:#[^\n]*)?\n)*( *)- ", re.MULTILINE)
_WIDE = 1_000_000
_INDENT = 4


def documents_of(text: str) -> Iterator[tuple[str, str]]:
    """The documents of a text, each after the marker that begins it, "" for none."""
    places = [0, *(found.start() for found in _MARKER.finditer(text))]
    for at, start in enumerate(places):
        end = places[at + 1] if at + 1 < len(places) else len(text)
        part = text[start:end]
        marker = _MARKER.match(part)
        if at == 0 and not part and len(places) > 1:
            continue
        yield ("---", part[3:]) if marker else ("", part)


class Document:
    """One document: ``content`` may be changed in place, ``written`` is its text afterwards."""

    def __init__(self, text: str, name: str) -> None:
        """Raises ``UserError`` for a text that is neither YAML nor JSON."""
        self._text = text
        self._json = text.lstrip().startswith("{")
        self.content: Any = json.loads(text) if self._json and _is_json(text) else self._loaded(name)
        self._json = self._json and _is_json(text)

    @property
    def written(self) -> str:
        """The content as a text of the same kind."""
        if self._json:
            end = "\n" if self._text.endswith("\n") else ""
            return json.dumps(self.content, indent=_INDENT, ensure_ascii=False) + end
        stream = io.StringIO()
        self._yaml().dump(self.content, stream)
        return stream.getvalue()

    def _loaded(self, name: str) -> Any:
        from ruamel.yaml.error import YAMLError

        try:
            return self._yaml().load(self._text)
        except YAMLError as wrong:
            line = getattr(getattr(wrong, "problem_mark", None), "line", None)
            place = "" if line is None else f" (line {line + 1})"
            problem = getattr(wrong, "problem", None) or type(wrong).__name__
            raise UserError(f"{name} is no YAML{place}: {problem}", help="mend it, or leave the file out") from None

    def _yaml(self) -> Any:
        from ruamel.yaml import YAML

        yaml = YAML(typ="rt", pure=True)
        yaml.preserve_quotes = True
        yaml.width = _WIDE
        offset = 2 if self._indents() else 0
        yaml.indent(mapping=2, sequence=2 + offset, offset=offset)
        yaml.representer.add_representer(type(None), _nothing)
        return yaml

    def _indents(self) -> bool:
        """Whether the text's first list is further in than the key that it belongs to."""
        found = _DASH.search(self._text)
        return found is not None and len(found[2]) > len(found[1])


def _nothing(representer: Any, _: None) -> Any:
    """Nothing stays nothing, and does not become the word null."""
    return representer.represent_scalar("tag:yaml.org,2002:null", "")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
