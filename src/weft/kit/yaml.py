"""YAML as configuration needs it: JSON's values, the place of each one, and no surprises.

YAML 1.2's core scalars (``yes`` and ``12:30`` are strings) and YAML 1.1's merge key, no tags, no duplicate keys,
limits on size, depth and aliases. It stands on libyaml's events rather than on PyYAML's loaders, which follow YAML 1.1
and forget where values came from.
"""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import yaml

from weft.kit.errors import UserError
from weft.kit.value import Value
from weft.kit.yaml_scalars import Scalar, scalar

YAML_CODES = {
    "W0001": "the text is not YAML",
    "W0002": "a key is there twice",
    "W0003": "the text is too large, too deep, or its aliases stand for too much",
    "W0004": "a key is not a text",
    "W0005": "YAML has this, JSON has not: a tag, or a number that JSON cannot hold",
}

_Event = Any
"""An event of libyaml; what the stubs say of these leaves out which fields are always there."""

MAX_BYTES = 4 * 2**20
MAX_DEPTH = 100
MAX_ALIASED = 50_000
MAX_DOCUMENTS = 5_000
_MAX_SHOWN = 60


class YamlError(UserError):
    """A text is not the YAML that weft reads. ``line`` and ``column`` count from 1."""

    def __init__(self, code: str, what: str, name: str, line: int, column: int, advice: str | None = None) -> None:
        super().__init__(f"{name}: {what} (line {line}, column {column})", code=code, help=advice)
        self.what = what
        self.name = name
        self.line = line
        self.column = column


class Place(Value):
    """Where something is written; ``line`` and ``column`` count from 1, ``width`` in characters of that line."""

    line: int
    column: int
    width: int = 1


class _Node:
    """A value, where it is, and where its children and their keys are. ``size`` counts nodes with aliases expanded."""

    __slots__ = ("block", "children", "keys", "literal", "place", "size", "value")

    def __init__(self, value: Any, place: Place, *, block: bool = False) -> None:
        self.value = value
        self.place = place
        self.block = block
        self.literal = 0
        self.size = 1
        self.keys: dict[str, Place] = {}
        self.children: dict[str | int, _Node] = {}


class YamlDocument:
    """One document of a text: its ``content`` as JSON's values, and the place of each.

    A path may lead on into a text that is YAML itself and written as a block (``mesh: |``), as in ConfigMaps.
    """

    def __init__(self, root: _Node) -> None:
        self._root = root
        self.content: Any = root.value

    def place(self, path: Sequence[str | int], at_key: bool = False) -> Place:
        """Where the value at ``path`` is, or its key. A path that leads nowhere gives the place of what is nearest."""
        node, key = self._root, self._root.place
        for index, step in enumerate(path):
            child = node.children.get(step)
            if child is None:
                return _inside(node, path[index:], at_key) or (key if node.block else node.place)
            key = node.keys.get(str(step), child.place)
            node = child
        return key if at_key or node.block else node.place


def _inside(node: _Node, path: Sequence[str | int], at_key: bool) -> Place | None:
    """The place in a text that is YAML; a literal block's first line is the one after its sign."""
    if not isinstance(node.value, str) or not node.literal:
        return None
    try:
        documents = parse_yaml(node.value, "")
    except YamlError:
        return None
    found = documents[0].place(path, at_key) if documents else Place(line=1, column=1)
    return Place(line=node.place.line + found.line, column=node.literal + found.column, width=found.width)


def parse_yaml(text: str | bytes, name: str, most: int = MAX_DOCUMENTS) -> tuple[YamlDocument, ...]:
    """Every document of a text that is not empty. ``name`` is the file's. Raises ``YamlError``.

    ``most`` are read; one more is an error.
    """
    text = _decoded(text, name)
    loader = yaml.CSafeLoader(text)
    try:
        return tuple(_Builder(loader, name, text).documents(most))
    except yaml.reader.ReaderError as wrong:
        before = text[: wrong.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise YamlError("W0001", "not valid YAML: a control character", name, line, column) from wrong
    except yaml.MarkedYAMLError as wrong:
        raise _syntax_error(wrong, text, name) from wrong
    finally:
        loader.dispose()


def _decoded(text: str | bytes, name: str) -> str:
    if len(text) > MAX_BYTES:
        raise _too_large(len(text), name)
    try:
        data = text.encode() if isinstance(text, str) else text
        if len(data) > MAX_BYTES:
            raise _too_large(len(data), name)
        return data.decode().removeprefix("\ufeff")
    except UnicodeError as wrong:
        raise YamlError("W0001", "not UTF-8", name, 1, 1, "save the file as UTF-8") from wrong


def _too_large(size: int, name: str) -> YamlError:
    what = f"the text has {size / 2**20:.1f} MiB, more than the {MAX_BYTES // 2**20} MiB that are read"
    return YamlError("W0003", what, name, 1, 1, "split it into several files")


def _syntax_error(wrong: yaml.MarkedYAMLError, text: str, name: str) -> YamlError:
    mark = wrong.problem_mark or wrong.context_mark
    line, column = _within(text, mark.line + 1, mark.column + 1) if mark else (1, 1)
    what = f"not valid YAML: {wrong.problem or wrong.context}"
    if wrong.context and wrong.context_mark and wrong.problem:
        what += f" {wrong.context} that begins in line {wrong.context_mark.line + 1}"
    return YamlError("W0001", what, name, line, column, "is the text cut off, or a line indented differently?")


def _within(text: str, line: int, column: int) -> tuple[int, int]:
    """A place; one behind the end of the text becomes the end of its last line that is not empty."""
    lines = text.split("\n")
    if any(rest.strip() for rest in lines[line - 1 :]):
        return line, column
    last = max((number for number, written in enumerate(lines, 1) if written.strip()), default=1)
    return last, len(lines[last - 1].rstrip()) + 1


def _place(event: _Event) -> Place:
    start, end = event.start_mark, event.end_mark
    width = end.column - start.column if end.line == start.line else 1
    return Place(line=start.line + 1, column=start.column + 1, width=max(width, 1))


def _documents(number: int) -> str:
    return "one document" if number == 1 else f"{number} documents"


class _Builder:
    """Makes documents of libyaml's events."""

    def __init__(self, loader: yaml.CSafeLoader, name: str, text: str) -> None:
        self._next = loader.get_event
        self._text = text
        self._lines: list[str] = []
        self._name = name
        self._anchors: dict[str, _Node | None] = {}
        self._aliased = 0

    def documents(self, most: int) -> Iterator[YamlDocument]:
        """All of them, one after the other; fails at the one after the last that may be there."""
        self._next()
        for number in count(1):
            event = self._next()
            if isinstance(event, yaml.StreamEndEvent):
                return
            if number > most:
                raise self._error("W0003", f"more than {_documents(most)}", event, "split it into several files")
            self._anchors, self._aliased = {}, 0
            root = self._node(self._next(), 0)
            self._next()
            if root.value is not None:
                yield YamlDocument(root)

    def _node(self, event: _Event, depth: int) -> _Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if depth > MAX_DEPTH:
            raise self._error("W0003", f"nested more than {MAX_DEPTH} deep", event)
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise self._error("W0005", f'the tag "{tag[:_MAX_SHOWN]}" is not allowed', event, "remove it")
        if event.anchor:
            self._anchors[event.anchor] = None
        node = self._untagged(event, depth)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _untagged(self, event: _Event, depth: int) -> _Node:
        match event:
            case yaml.ScalarEvent():
                node = _Node(self._scalar(event), _place(event))
                node.literal = self._indentation(event)
                return node
            case yaml.SequenceStartEvent():
                return self._sequence(event, depth)
            case _:
                return self._mapping(event, depth)

    def _alias(self, event: _Event) -> _Node:
        name = event.anchor
        if name not in self._anchors:
            raise self._error("W0001", f'the alias "*{name}" names nothing before it', event)
        target = self._anchors[name]
        if target is None:
            raise self._error("W0003", f'the alias "*{name}" is inside of what it names', event)
        self._aliased += target.size
        if self._aliased > MAX_ALIASED:
            what = f"the aliases of the document stand for more than {MAX_ALIASED} values"
            raise self._error("W0003", what, event, "write the values out, or use fewer aliases of aliases")
        node = _Node(target.value, _place(event))
        node.size, node.keys, node.children = target.size, target.keys, target.children
        return node

    def _sequence(self, start: _Event, depth: int) -> _Node:
        values: list[Any] = []
        node = _Node(values, _place(start), block=not start.flow_style)
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            child = self._node(event, depth + 1)
            node.children[len(values)] = child
            node.size += child.size
            values.append(child.value)
        return _closed(node, event)

    def _mapping(self, start: _Event, depth: int) -> _Node:
        node = _Node({}, _place(start), block=not start.flow_style)
        merged: list[tuple[_Event, _Node]] = []
        while not isinstance(end := self._next(), yaml.MappingEndEvent):
            event: _Event = end
            key = self._key(event)
            child = self._node(self._next(), depth + 1)
            node.size += child.size
            if key == "<<" and event.implicit[0]:
                merged.append((event, child))
                continue
            if key in node.children:
                before = node.keys[key].line
                what = f'the key "{key[:_MAX_SHOWN]}" is there twice, first in line {before}'
                raise self._error("W0002", what, event, "remove one of them")
            node.keys[key], node.children[key] = _place(event), child
            node.value[key] = child.value
        for event_of_merge, source in merged:
            self._merge(node, event_of_merge, source)
        return _closed(node, end)

    def _merge(self, node: _Node, event: _Event, source: _Node) -> None:
        """``<<``: keys of other mappings that this one has not; of several, the first wins."""
        sources = list(source.children.values()) if isinstance(source.value, list) else [source]
        for other in sources:
            if not isinstance(other.value, dict):
                raise self._error("W0001", 'what "<<" merges must be a mapping', event)
            for key, child in other.children.items():
                if key not in node.children:
                    node.keys[str(key)], node.children[key] = other.keys[str(key)], child
                    node.value[key] = child.value

    def _key(self, event: _Event) -> str:
        """A text; whole numbers are taken as theirs (``portLevelMtls: {8080: ...}``), as Kubernetes does."""
        if isinstance(event, yaml.AliasEvent):
            target = self._anchors.get(event.anchor or "")
            value = target.value if target else None
        elif isinstance(event, yaml.ScalarEvent) and event.tag is None:
            value = self._scalar(event)
            if event.anchor:
                self._anchors[event.anchor] = _Node(value, _place(event))
        else:
            raise self._error("W0004", "a key must be a text, not a list, a mapping or a tag", event)
        if isinstance(value, str):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        text = getattr(event, "value", "")[:_MAX_SHOWN]
        raise self._error("W0004", f'the key "{text}" is not a text', event, f'write it as "{text}", in quotes')

    def _indentation(self, event: _Event) -> int:
        """The columns before the lines of a literal block; 0 for any other text."""
        if event.style != "|":
            return 0
        self._lines = self._lines or self._text.split("\n")
        within = self._lines[event.start_mark.line + 1 : event.end_mark.line + 1]
        written = next((line for line in within if line.strip()), "")
        return len(written) - len(written.lstrip(" "))

    def _scalar(self, event: _Event) -> Scalar:
        if not event.implicit[0]:
            text: str = event.value
            return text
        try:
            return scalar(event.value)
        except ValueError as wrong:
            raise self._error("W0005", str(wrong), event, "put it in quotes if it is a text") from wrong

    def _error(self, code: str, what: str, event: _Event, advice: str | None = None) -> YamlError:
        mark = event.start_mark
        return YamlError(code, what, self._name, mark.line + 1, mark.column + 1, advice)


def _closed(node: _Node, end: _Event) -> _Node:
    """A flow collection that ends in its line is as wide as it is."""
    if not node.block and end.end_mark.line + 1 == node.place.line:
        width = end.end_mark.column + 1 - node.place.column
        node.place = Place(line=node.place.line, column=node.place.column, width=max(width, 1))
    return node
