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
_NOTHING = "there is nothing of that kind"
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
    none: str = _NOTHING
    colours: Mapping[str, str] = {}


class How(Value):
    """What the user asked for."""

    output: str = "table"
    watch: bool = False

    @property
    def is_table(self) -> bool:
        """Whether it is for people."""
        return self.output in ("table", "wide")


def listing_as(*own: str, watched: bool = True) -> Callable[[_F], _F]:
    """The options of a command that lists, which it gets as one ``how``. ``own`` outputs come before those of all
    lists, the first of them is meant unless one is named; what cannot be asked again is not ``watched``."""
    outputs = (*own, *LISTED)

    def wrap(command: _F) -> _F:
        @wraps(command)
        def asked(*arguments: Any, output: str, watch: bool = False, **more: Any) -> Any:
            return command(*arguments, how=How(output=output, watch=watch), **more)

        if watched:
            asked = click.option("-w", "--watch", is_flag=True, help="Go on and show it anew, until Ctrl-C.")(asked)
        said = click.option("-o", "--output", type=click.Choice(outputs), default=outputs[0], show_default=True)
        return said(asked)  # type: ignore[return-value]

    return wrap


listing = listing_as()


class Where(Value):
    """The namespace that the user asked for, "" for all of them."""

    namespace: str = ""

    def kept(self, answer: Any, of: Callable[[Item], str]) -> Any:
        """An answer with the ``items`` of the namespace alone; ``of`` tells an item's."""
        if not self.namespace:
            return answer
        return answer | {"items": [one for one in answer["items"] if of(one) == self.namespace]}


def placed(command: _F) -> _F:
    """The options of a list of the whole mesh that can be narrowed, which its command gets as one ``where``."""

    @wraps(command)
    def asked(*arguments: Any, namespace: str, all_namespaces: bool, **more: Any) -> Any:
        return command(*arguments, where=Where(namespace="" if all_namespaces else namespace), **more)

    everywhere = click.option("-A", "--all-namespaces", is_flag=True, help="In all namespaces, as without -n.")
    said = click.option("-n", "--namespace", default="", help="Only what is in a namespace.")
    return said(everywhere(asked))  # type: ignore[return-value]


def namespace_of(item: Item) -> str:
    """What an item says of its namespace."""
    return str(item.get("namespace") or "")


def show(how: How, ask: Callable[[], Any], shown: Shown, after: Callable[[Any], None] | None = None) -> None:
    """Ask, once or again and again, and give the ``items`` of the answer; ``after`` tells people the rest of it."""

    def once(answer: Any) -> None:
        give_items(how, answer, shown)
        if after is not None and how.is_table:
            after(answer)

    repeat(how, ask, once)


def tell(how: How, ask: Callable[[], Any], text: Callable[[Any], str], names: Callable[[Any], Sequence[str]]) -> Any:
    """Likewise for an answer that is no list of items: its ``text`` for people ("" if there is nothing), its names. The
    last answer."""

    def once(answer: Any) -> None:
        match how.output:
            case "json" | "yaml":
                give(written(answer, how.output))
            case "name":
                for name in dict.fromkeys(names(answer)):
                    give(name)
            case _:
                told = text(answer)
                (give if told else say)(told or _NOTHING)

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


def give_items(how: How, answer: Any, shown: Shown, items: list[Item] | None = None) -> None:
    """The ``items`` of an answer, or those that are made of it, once."""
    items = answer["items"] if items is None else items
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
