"""``weft logs``: what a workload's application and its sidecar said, wherever they run."""

import re
import sys

import click
import msgspec

from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.durations import DURATION
from weft.cli.errors import TooLate, Usage
from weft.cli.live_names import workloads
from weft.cli.talk import say
from weft.kit.errors import Denied, Missing

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@click.command()
@click.argument("workload", shell_complete=workloads())
@click.option("-n", "--namespace", envvar="WEFT_NAMESPACE", default="default", help="The workload's namespace.")
@click.option("-f", "--follow", is_flag=True, help="Go on and show what comes.")
@click.option("--since", type=DURATION, help="Only what was said since: 10m.")
@click.option("--tail", type=click.IntRange(0, 100_000), help="Only so many of the last lines.")
@click.option("--app", "source", flag_value="app", help="What the application said (the default).")
@click.option("--sidecar", "source", flag_value="sidecar", help="What its Envoy said.")
@connected
def command(
    connection: Connection,
    workload: str,
    namespace: str,
    follow: bool,
    since: float | None,
    tail: int | None,
    source: str | None,
) -> None:
    """Show what a workload's application said, or its sidecar.

    WORKLOAD is one instance (reviews-1). Its agent keeps the last one or two MiB of what the application says on
    stderr, and on stdout unless that is a terminal; it hears of the question with its next heartbeat.
    """
    if since and tail is not None:
        raise Usage("--since and --tail exclude each other", help="leave out one of them")
    params = [
        ("source", source or "app"),
        *([("follow", "true")] if follow else []),
        *([("sinceSeconds", f"{since:g}")] if since else []),
        *([("tail", str(tail))] if tail is not None else []),
    ]
    kind, _, name = workload.rpartition("/")
    if kind not in ("", "workload", "wl", "gateway"):
        raise Usage(f"a {kind} has no log", help="name one workload; `weft get workloadentries` lists them")
    with Client(connection) as client:
        path = f"/weft/v1/namespaces/{namespace}/workloads/{name}/log"
        try:
            for line in client.lines_of(path, params, accept="application/x-ndjson"):
                _show(msgspec.json.decode(line))
        except Missing as gone:
            raise Missing(gone.message, help=f"`weft get workloadentries -n {namespace}` lists them") from None


def _show(item: dict[str, object]) -> None:
    match item:
        case {"type": "text", "text": str(text), "skipped": int(skipped)}:
            if skipped:
                say(f"{skipped} bytes before this are kept no more")
            sys.stdout.write(harmless(text) if sys.stdout.isatty() else text)
            sys.stdout.flush()
        case {"type": "end", "reason": "its agent does not answer"}:
            raise TooLate("the workload's agent does not answer", help="`weft get workloadentries` has those that run")
        case {"type": "end", "reason": "no longer allowed"}:
            raise Denied("this is no longer allowed")


def harmless(text: str) -> str:
    """Text for a terminal: colours stay, everything else that a terminal would obey does not."""
    pieces = _COLOURS.split(text)
    colours = [*_COLOURS.findall(text), ""]
    kept = ("".join(sign for sign in piece if sign.isprintable() or sign in "\n\t") for piece in pieces)
    return "".join(piece + colour for piece, colour in zip(kept, colours, strict=True))
