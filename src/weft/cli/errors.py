"""The one place where an error becomes text and an exit code. A traceback is shown with ``--debug`` only."""

import sys
import traceback
from collections.abc import Callable

import click

from weft.cli.talk import coloured, plain, say
from weft.kit.errors import UserError

EXIT_CODES = {
    0: "Done.",
    1: "It failed, or a check found errors.",
    2: "Wrong usage.",
    3: "There are warnings, under --strict.",
    4: "What was named is not there.",
    5: "It is not allowed.",
    6: "The control plane cannot be reached.",
    7: "The answer did not come in time.",
    130: "Interrupted.",
}
"""What the exit codes of every command mean."""

_INTERRUPTED = 130
_BROKEN_PIPE = 141


class Told(UserError):
    """The user has been told already; what is left is the exit code."""

    def __init__(self, exit_code: int = 1) -> None:
        super().__init__("told already")
        self.exit_code = exit_code


class Usage(UserError):
    """The command was called in a way that cannot work."""

    exit_code = 2


class AtPlace(UserError):
    """A mistake in a file; ``place`` shows it, with a caret."""

    def __init__(self, message: str, *, place: str, code: str | None = None, help: str | None = None) -> None:  # noqa: A002
        super().__init__(f"{message}\n{place}", code=code, help=help)


class TooLate(UserError):
    """The answer did not come in time."""

    exit_code = 7


def guarded(command: Callable[[], object], *, debug: Callable[[], bool]) -> int:
    """Run a command and return its exit code, with every error told."""
    try:
        result = command()
        sys.stdout.flush()
    except (KeyboardInterrupt, click.Abort):
        return _INTERRUPTED
    except BrokenPipeError:
        _hush()
        return _BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - the outermost boundary: nothing above could show a traceback
        if debug():
            traceback.print_exception(error)
        return _told(_sole(error))
    return result if isinstance(result, int) else 0


def _sole(error: Exception) -> Exception:
    """What a group of tasks failed with, if it is one thing."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def error_text(message: str, *, code: str | None = None, help: str | None = None) -> str:  # noqa: A002
    """An error as weft writes them."""
    label = coloured(f"error[{code}]" if code else "error", "error")
    text = f"{label}: {message}"
    return f"{text}\n{coloured('help')}: {help}" if help else text


def _told(error: Exception) -> int:
    match error:
        case Told():
            return error.exit_code
        case UserError():
            say(error_text(error.message, code=error.code, help=error.help))
            return error.exit_code
        case click.exceptions.NoArgsIsHelpError():
            click.echo(error.message, color=plain(), err=True)
            return error.exit_code
        case click.ClickException():
            say(error_text(_sentence(error), help=_usage_help(error)))
            return error.exit_code
        case OSError() if error.strerror:
            name = f"{error.filename}: " if error.filename else ""
            say(error_text(f"{name}{error.strerror.lower()}"))
        case _:
            what = f"{type(error).__name__}: {error}".rstrip(": ")
            say(error_text(f"weft made a mistake ({what})", help="run it again with --debug and report what it shows"))
    return 1


def _sentence(error: click.ClickException) -> str:
    """click's message as ours: lower case at the front, no final stop, its guess left to the help."""
    text = error.format_message().strip().partition(" Did you mean ")[0].removesuffix(".")
    return text[:1].lower() + text[1:]


def _usage_help(error: click.ClickException) -> str | None:
    if not isinstance(error, click.UsageError) or error.ctx is None:
        return None
    see = f"see `{error.ctx.command_path} --help`"
    guess = error.format_message().partition(" Did you mean ")[2].rstrip(" ?).")
    return f"did you mean {guess}? {see}" if guess else see


def _hush() -> None:
    """Who read our output is gone: let the interpreter's last flush find a harmless place."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
