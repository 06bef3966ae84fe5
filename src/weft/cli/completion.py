"""``weft completion``: what to put into the shell's start-up file."""

import click
from click.shell_completion import get_completion_class

from weft.cli.talk import give

_SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    For bash: put `source <(weft completion bash)` into ~/.bashrc.
    """
    script = get_completion_class(shell)
    assert script is not None
    give(script(context.find_root().command, {}, "weft", "_WEFT_COMPLETE").source())
