"""``weft man``: the pages of help as manual pages."""

import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import click

from weft.cli.errors import EXIT_CODES
from weft.cli.live_names import local
from weft.cli.talk import give, say
from weft.kit.errors import Missing

_ENVIRONMENT = (
    ("WEFT_ADDR", "The control plane's address."),
    ("WEFT_TOKEN_FILE", "The file of the token that proves who asks."),
    ("WEFT_CA_FILE", "Whom to trust, as PEM."),
    ("WEFT_NAMESPACE", "The namespace to look in."),
    ("WEFT_STATE", "The directory of the control plane's state."),
    ("NO_COLOR", "Set to anything: no colours."),
)
_CODE = re.compile(r"`([^`]*)`")


@click.command()
@click.argument("words", nargs=-1, metavar="[COMMAND]...", shell_complete=local(lambda: _names()))
@click.option("--dir", "directory", type=click.Path(path_type=Path, file_okay=False), help="Write all pages here.")
@click.pass_context
def command(context: click.Context, words: tuple[str, ...], directory: Path | None) -> None:
    """Print the manual page of a command, or write all pages to a directory.

    `weft man proxy diff | man -l -` shows one; `weft man --dir ~/.local/share/man/man1` lets `man weft-run` find them.
    """
    pages = {found.command_path: found for found in _commands(context.find_root().command, "weft", None)}
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
        for name, found in pages.items():
            (directory / f"{name.replace(' ', '-')}.1").write_text(page(found))
        say(f"{len(pages)} pages in {directory}")
        return
    name = " ".join(("weft", *words))
    if name not in pages:
        raise Missing(f"there is no command {name!r}", help="see `weft --help`")
    give(page(pages[name]).rstrip())


def _names() -> Iterator[str]:
    from weft.cli.main import COMMANDS

    yield from COMMANDS


def page(context: click.Context) -> str:
    """The manual page of a command, in the macros of man(7)."""
    shown, name = context.command, context.command_path
    first, _, rest = (shown.help or "").partition("\n")
    lines = [
        f'.TH "{name.replace(" ", "-").upper()}" 1 "" "weft {version("weft")}" "weft"',
        ".SH NAME",
        f"{_text(name.replace(' ', '-'))} \\- {_text(first)}",
        ".SH SYNOPSIS",
        f".B {_text(name)}",
        _text(" ".join(shown.collect_usage_pieces(context))),
        ".SH DESCRIPTION",
        *_paragraphs(f"{first}\n{rest}"),
    ]
    records = [one.get_help_record(context) for one in shown.get_params(context)]
    lines += _section("OPTIONS", [one for one in records if one])
    if isinstance(shown, click.Group):
        names = shown.list_commands(context)
        about = ((one, shown.get_command(context, one)) for one in names)
        lines += _section("COMMANDS", [(one, found.get_short_help_str(200)) for one, found in about if found])
    lines += _section("EXIT STATUS", [(str(code), said) for code, said in EXIT_CODES.items()])
    lines += _section("ENVIRONMENT", list(_ENVIRONMENT))
    if context.parent is not None:
        lines += [".SH SEE ALSO", f".BR {_text(context.parent.command_path.replace(' ', '-'))} (1)"]
    return "\n".join(lines) + "\n"


def _commands(found: click.Command, name: str, parent: click.Context | None) -> Iterator[click.Context]:
    """A command and those in it, each as it is called."""
    from weft.cli.main import loaded

    found = loaded(found)
    context = click.Context(found, info_name=name, parent=parent)
    yield context
    if isinstance(found, click.Group):
        for inner in found.list_commands(context):
            if (one := found.get_command(context, inner)) is not None:
                yield from _commands(one, inner, context)


def _section(heading: str, rows: list[tuple[str, str]]) -> list[str]:
    if not rows:
        return []
    lines = [f".SH {heading}"]
    for name, about in rows:
        lines += [".TP", f".B {_text(name)}", _text(about) or "\\&"]
    return lines


def _paragraphs(text: str) -> Iterator[str]:
    for part in re.split(r"\n\s*\n", text.strip()):
        yield ".PP"
        yield _text(" ".join(part.split()))


def _text(text: str) -> str:
    """A text as roff: nothing in it is a command. What stands between backquotes is bold."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    escaped = _CODE.sub(r"\\fB\1\\fR", escaped)
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
