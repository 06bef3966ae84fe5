"""The documents in the user's files, each with the place that it came from."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from weft.cli.errors import AtPlace, Usage
from weft.kit.caret import caret
from weft.kit.errors import UserError
from weft.kit.value import Value
from weft.kit.yaml import YamlDocument, YamlError, parse_yaml
from weft.model.finding import Path as FieldPath

_SUFFIXES = (".yaml", ".yml", ".json")
_MAX_BYTES = 64 * 1024 * 1024

_F = TypeVar("_F", bound=Callable[..., Any])


def with_files(function: _F) -> _F:
    """Add the options of a command that reads files: it gets ``names`` and ``recursive``."""
    files = click.option("-f", "--filename", "names", multiple=True, metavar="FILE|DIR|-", help="Where to read.")
    return files(click.option("-R", "--recursive", is_flag=True, help="Also directories in directories.")(function))


class Source(Value):
    """A text and what it is called: a file's name, or ``-``."""

    name: str
    text: str


class Manifest:
    """One document of a file. ``root`` leads to it from the YAML document's root (the items of a ``List``)."""

    def __init__(self, source: Source, yaml: YamlDocument, content: Any, root: FieldPath = ()) -> None:
        self.source = source
        self.yaml = yaml
        self.content = content
        self.root = root

    @property
    def api_version(self) -> str:
        """``group/version``, or ``v1``."""
        return self._text("apiVersion")

    @property
    def kind(self) -> str:
        """``VirtualService``."""
        return self._text("kind")

    @property
    def name(self) -> str:
        """``metadata.name``."""
        return self._text("metadata", "name")

    @property
    def namespace(self) -> str:
        """``metadata.namespace``, empty if there is none."""
        return self._text("metadata", "namespace")

    def _text(self, *path: str) -> str:
        found = self.content
        for step in path:
            found = found.get(step) if isinstance(found, dict) else None
        return found if isinstance(found, str) else ""


def manifests_of(names: tuple[str, ...], *, recursive: bool) -> tuple[Manifest, ...]:
    """Every document of the named files, in order. Raises ``UserError`` for the first file that cannot be read."""
    if not names:
        raise Usage("no files are named", help="name some with -f FILE, -f DIRECTORY or -f -")
    found = tuple(manifest for name in names for source in _sources(name, recursive) for manifest in parsed(source))
    if not found:
        raise UserError(f"there are no documents in {', '.join(names)}")
    return found


def parsed(source: Source) -> Iterator[Manifest]:
    """The documents of one text; empty ones are none, a ``List`` is its items."""
    for yaml in _documents(source):
        content = yaml.content
        if isinstance(content, dict) and content.get("kind") == "List" and isinstance(content.get("items"), list):
            for index, item in enumerate(content["items"]):
                yield Manifest(source, yaml, item, ("items", index))
        else:
            yield Manifest(source, yaml, content)


def _documents(source: Source) -> tuple[YamlDocument, ...]:
    try:
        return parse_yaml(source.text, source.name)
    except YamlError as error:
        place = caret(source.name, source.text.splitlines(), error.line, error.column, 1, "")
        raise AtPlace(error.what, place=place, code=error.code, help=error.help) from None


def _sources(name: str, recursive: bool) -> Iterator[Source]:
    if name == "-":
        yield Source(name="-", text=_decoded("standard input", sys.stdin.buffer.read(_MAX_BYTES)))
        return
    path = Path(name)
    if not path.exists():
        raise UserError(f"there is no file {name}", help="check -f")
    for file in _files(path, recursive) if path.is_dir() else (path,):
        with file.open("rb") as stream:
            yield Source(name=str(file), text=_decoded(str(file), stream.read(_MAX_BYTES)))


def _files(directory: Path, recursive: bool) -> list[Path]:
    pattern = "**/*" if recursive else "*"
    found = sorted(path for path in directory.glob(pattern) if path.suffix in _SUFFIXES and path.is_file())
    if not found:
        raise UserError(f"{directory} has no files that end in {', '.join(_SUFFIXES)}", help="use -R to look deeper")
    return found


def _decoded(name: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{name} is not UTF-8 text (byte {error.start})") from None
