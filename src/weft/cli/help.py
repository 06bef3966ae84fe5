"""How help looks: click's own pages, with the colours of the rest of the command line.

A library that draws frames around them would double the time until ``weft`` answers at all.
"""

from collections.abc import Iterable, Mapping, Sequence

import click


class Page(click.HelpFormatter):
    """A page of help; click drops the colours where nobody sees them."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """The line that says how to call the command."""
        super().write_usage(prog, args, f"{_heading('Usage:')} " if prefix is None else prefix)

    def write_heading(self, heading: str) -> None:
        """A heading above a list."""
        super().write_heading(_heading(heading))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """A list of names, each with what it means."""
        super().write_dl([(click.style(name, fg="cyan"), said) for name, said in rows], col_max, col_spacing)


class Panels(click.Group):
    """A group whose commands are listed under headings."""

    def __init__(self, *, panels: Mapping[str, Sequence[str]], **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]  # click's own parameters, passed through
        self._panels = panels

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One list for each heading, all of the same width."""
        widest = max(len(name) for name in self.commands)
        for heading, names in self._panels.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(widest), self.commands[name].short_help or "") for name in names])


def _heading(text: str) -> str:
    return click.style(text, bold=True)
