"""What commands that list have in common: ``-o table|wide|json|yaml|name``, and being shown again and again."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar

import click
import msgspec
import yaml

from weft.cli.tables import table
from weft.cli.talk import give, say
from weft.kit.value import Value

LISTED = ("table", "wide", "json", "yaml", "name")
"""The outputs of a command that lists."""

_EVERY = 2.0
_CLEAR = "\x1b[H\x1b[2J"
_F = TypeVar("_F", bound=Callable[..., Any])
Item = dict[str, Any]


class Shown(Value):
    """How items are shown: the name of one, the heads and cells of a table, and those that only wide ones have.

    ``none`` is said where there is no item; ``colours`` are those of cells (kinds of ``talk``).
    """

    name: Callable[[Item], str]
    head: tuple[str, ...]
    cells: Callable[[Item], Sequence[str]]
    wide_head: tuple[str, ...] = ()
    wide_cells: Callable[[Item], Sequence[str]] = lambda _: ()
    none: str = "there is nothing"
    colours: Mapping[str, str] = {}


class How(Value):
    """What the user asked for."""

    output: str = "table"
    watch: bool = False

    @property
    def is_table(self) -> bool:
        """Whether it is for people."""
        return self.output in ("table", "wide")


def listing(command: _F) -> _F:
    """The options of a command that lists, which it gets as one ``how``."""

    @wraps(command)
    def asked(*arguments: Any, output: str, watch: bool, **more: Any) -> Any:
        return command(*arguments, how=How(output=output, watch=watch), **more)

    watching = click.option("-w", "--watch", is_flag=True, help="Go on and show it anew, until Ctrl-C.")
    said = click.option("-o", "--output", type=click.Choice(LISTED), default="table", show_default=True)
    return said(watching(asked))  # type: ignore[return-value]


def show(how: How, ask: Callable[[], Any], shown: Shown, after: Callable[[Any], None] | None = None) -> None:
    """Ask, once or again and again, and give the ``items`` of the answer; ``after`` tells people the rest of it."""

    def once(answer: Any) -> None:
        give_items(how, answer, shown)
        if after is not None and how.is_table:
            after(answer)

    repeat(how, ask, once)


def tell(how: How, ask: Callable[[], Any], text: Callable[[Any], str], names: Callable[[Any], Sequence[str]]) -> Any:
    """Likewise for an answer that is no list of items: its ``text`` for people, its names. The last answer."""

    def once(answer: Any) -> None:
        match how.output:
            case "json" | "yaml":
                give(written(answer, how.output))
            case "name":
                for name in dict.fromkeys(names(answer)):
                    give(name)
            case _:
                give(text(answer))

    return repeat(how, ask, once)


def repeat(how: How, ask: Callable[[], Any], once: Callable[[Any], None]) -> Any:
    """Ask, and do something with the answer, which is given back; with ``--watch`` again and again."""
    while True:
        answer = ask()
        if how.watch and sys.stdout.isatty():
            sys.stdout.write(_CLEAR)
        once(answer)
        if not how.watch:
            return answer
        sys.stdout.flush()
        time.sleep(_EVERY)


def written(content: Any, output: str) -> str:
    """Content as JSON or YAML."""
    if output == "yaml":
        text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
        return text.rstrip()
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode()


def give_items(how: How, answer: Any, shown: Shown) -> None:
    """The ``items`` of an answer, once."""
    items: list[Item] = answer["items"]
    if how.output in ("json", "yaml"):
        give(written(answer, how.output))
    elif how.output == "name":
        for name in dict.fromkeys(shown.name(item) for item in items):
            give(name)
    elif not items:
        say(shown.none)
    else:
        wide = how.output == "wide"
        head = (*shown.head, *shown.wide_head) if wide else shown.head
        rows = [(*shown.cells(one), *shown.wide_cells(one)) if wide else shown.cells(one) for one in items]
        give(table(head, rows, shown.colours))
