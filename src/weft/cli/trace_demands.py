"""``weft trace start``, ``stop`` and ``started``: all calls of one caller traced for a while."""

from typing import Any

import click

from weft.cli import live_names
from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.durations import DURATION
from weft.cli.listing import How, Item, Shown, Where, listing, namespace_of, placed, show
from weft.cli.talk import give, say

_NAMESPACE = click.option(
    "-n", "--namespace", envvar="WEFT_NAMESPACE", default="default", show_default=True, help="The caller's namespace."
)


@click.command("start")
@click.option("--caller", required=True, help="Whose calls: a service, or workload/NAME.")
@click.option("--for", "seconds", type=DURATION, default="5m", show_default=True, help="For how long, a day at most.")
@click.option("--percent", type=click.FloatRange(0, 100, min_open=True), default=100.0, show_default=True)
@_NAMESPACE
@connected
def start(connection: Connection, caller: str, seconds: float, percent: float, namespace: str) -> None:
    """Trace the calls of one caller for a while, whatever was decided about them before.

    Its sidecars record so many of its calls, and all who are called then follow them. What was asked for the caller
    before holds no more. It needs the verb trace on services.
    """
    kind, slash, name = caller.rpartition("/")
    target = {"workload": name} if slash and kind == "workload" else {"service": caller}
    body = {"namespace": namespace, "seconds": seconds, "percent": percent, **target}
    with Client(connection) as client:
        found = client.post("/weft/v1/tracing", body)
    give(found["id"])
    say(f"{percent:g} % of the calls of {_caller(found)} are traced for {seconds:g} s; see: weft trace list")


@click.command("stop")
@click.argument("demand", shell_complete=live_names.listed("tracing", "service"))
@connected
def stop(connection: Connection, demand: str) -> None:
    """End one before its time, by the ID that start gave."""
    with Client(connection) as client:
        found = client.ask("DELETE", f"/weft/v1/tracing/{demand}").json()
    say(f"the calls of {_caller(found)} are traced as before")


@click.command("started")
@placed
@listing
@connected
def started(connection: Connection, where: Where, how: How) -> None:
    """List whose calls are traced, and for how long still."""
    with Client(connection) as client:
        show(how, lambda: where.kept(client.get("/weft/v1/tracing"), namespace_of), _STARTED)


def _cells(one: Item) -> list[str]:
    share, left = f"{one['percent']:g} %", f"{one['secondsLeft']:.0f}s"
    return [one["id"], one["namespace"], _caller(one), share, left, one["by"]]


def _caller(found: dict[str, Any]) -> str:
    return found["service"] or f"workload/{found['workload']}"


_STARTED = Shown(
    name=lambda one: str(one["id"]),
    head=("id", "namespace", "caller", "calls", "left", "by"),
    cells=_cells,
    none="nobody's calls are traced for themselves",
)
