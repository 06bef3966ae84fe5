"""What the user sees: data on stdout, talk on stderr; colours only for people.

click drops colours for pipes; ``NO_COLOR`` (no-color.org) is our part.
"""

import os

import click

_COLOUR = {"error": "red", "warning": "yellow", "note": "cyan", "help": "green", "ok": "green"}


def plain() -> bool | None:
    """What click's ``color`` should be: ``False`` when the user wants none, ``None`` to look at the stream."""
    return False if os.environ.get("NO_COLOR") else None


def say(text: str) -> None:
    """Tell the user something."""
    click.echo(text, err=True, color=plain())


def give(text: str) -> None:
    """Print data."""
    click.echo(text, color=plain())


def coloured(word: str, kind: str | None = None) -> str:
    """A word in the colour of its kind (the word itself if no other is named)."""
    return click.style(word, fg=_COLOUR.get(kind or word), bold=True)
