"""``weft top``: golden signals, live, in the whole terminal."""

import sys
import time
from collections.abc import Callable, Iterator

import click

from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.durations import DURATION
from weft.cli.tables import table
from weft.cli.talk import give, say
from weft.cli.top_routes import LiveRoutes
from weft.cli.top_rows import HEAD, Of, Rows, Sort, question_of

_LONGEST, _ONCE = 3600.0, 5.0


@click.command()
@click.argument("of", type=click.Choice([one.value for one in Of]), default=Of.SERVICE.value)
@click.option("-n", "--namespace", envvar="WEFT_NAMESPACE", default="default", help="The namespace to look in.")
@click.option("-A", "--all-namespaces", is_flag=True, help="Look in all of them.")
@click.option("--window", type=DURATION, default="30s", show_default=True, help="How far back the numbers reach.")
@click.option("--every", type=DURATION, default="2s", show_default=True, help="How often to ask anew.")
@click.option("--sort", type=click.Choice([one.value for one in Sort]), default=Sort.RATE.value, show_default=True)
@click.option("--filter", "wanted", default="", help="Words that names have.")
@connected
def command(
    connection: Connection,
    of: str,
    namespace: str,
    all_namespaces: bool,
    window: float,
    every: float,
    sort: str,
    wanted: str,
) -> None:
    """Show success rates, calls a second and latencies, live, with how they went.

    Keys sort, filter and change what is shown; ? says which. Where the output is no terminal, it is written once.
    Routes are live requests, added up for as long as they are shown: that needs the right to tap.
    """
    place = "" if all_namespaces else namespace
    with Client(connection) as client:

        def lines() -> Iterator[str]:
            seconds = ("seconds", f"{_LONGEST:g}")
            return client.lines_of("/weft/v1/tap", [("namespace", place), seconds], accept="application/x-ndjson")

        routes = LiveRoutes(lines, window)

        def ask(kind: Of) -> list[dict[str, object]]:
            if kind is Of.ROUTE:
                return routes.items()
            path, params = question_of(kind, place, window)
            found: list[dict[str, object]] = client.get(path, **params)["items"]
            return found

        if not (sys.stdout.isatty() and sys.stdin.isatty()):
            _watched(ask, Of(of), min(window, _ONCE))
            _once(ask(Of(of)), Of(of), Sort(sort), wanted)
            return
        from weft.cli.top_app import TopApp  # Textual takes half a second to import

        TopApp(ask, Of(of), Sort(sort), every=every, wanted=wanted, place=place or "all namespaces").run()


def _watched(ask: Callable[[Of], object], of: Of, seconds: float) -> None:
    """Watch for a while, where nobody has counted before."""
    if of is Of.ROUTE:
        ask(of)
        say(f"watching for {seconds:g} s")
        time.sleep(seconds)


def _once(items: list[dict[str, object]], of: Of, sort: Sort, wanted: str) -> None:
    """One frame, for pipes and files."""
    rows = Rows(of)
    rows.update(items)
    shown = rows.shown(sort, wanted=wanted)
    if not shown:
        say("no traffic")
        return
    give(table(HEAD[:-1], [row.cells[:-1] for row in shown]))
