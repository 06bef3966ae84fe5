"""``weft events``: what happened in the mesh, in order."""

import sys
import time
from datetime import datetime

import click
import msgspec
import yaml

from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.durations import DURATION
from weft.cli.listing import How, Item, Shown, listing, show
from weft.cli.talk import coloured, give

_EVERY = 1.0
_TYPES = ("config", "proxy", "endpoint", "certificate", "health", "slo", "anomaly", "breaker")


@click.command()
@click.option("--since", type=DURATION, default="1h", show_default=True, help="How far back to look.")
@click.option("--type", "types", multiple=True, type=click.Choice(_TYPES), help="Only what is of this kind.")
@click.option("-n", "--namespace", default="", help="Only what happened in a namespace.")
@click.option("-A", "--all-namespaces", is_flag=True, help="In all namespaces, as without -n.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens from now on, until Ctrl-C.")
@click.option("--limit", type=click.IntRange(1, 5000), default=500, show_default=True, help="At most so many.")
@listing
@connected
def command(
    connection: Connection,
    since: float,
    types: tuple[str, ...],
    namespace: str,
    all_namespaces: bool,
    follow: bool,
    limit: int,
    how: How,
) -> None:
    """Show what happened: configuration, proxies, endpoints, certificates, alerts."""
    asked = {"type": ",".join(types), "namespace": "" if all_namespaces else namespace, "limit": str(limit)}
    with Client(connection) as client:
        if follow:
            _follow(client, since, asked, how.output)
        else:
            show(how, lambda: client.get("/weft/v1/events", sinceSeconds=f"{since:.3f}", **asked), _EVENTS)


def _follow(client: Client, since: float, asked: dict[str, str], output: str) -> None:
    answer = client.get("/weft/v1/events", sinceSeconds=f"{since:.3f}", **asked)
    while True:
        for item in answer["items"]:
            give(_line(item, output))
        sys.stdout.flush()
        time.sleep(_EVERY)
        answer = client.get("/weft/v1/events", after=f"{answer['now']:.6f}", **asked)


def _line(item: Item, output: str) -> str:
    """One event of those that are followed."""
    if output == "json":
        return msgspec.json.encode(item).decode()
    if output == "yaml":
        return "---\n" + yaml.safe_dump(item, sort_keys=False).rstrip()
    if output == "name":
        return _name(item)
    at, kind, reason, namespace, message, who = _cells(item, wide=output == "wide")
    shown = coloured(reason.ljust(16), "warning" if item["warning"] else "ok")
    return f"{at}  {kind.ljust(11)}  {shown}  {namespace.ljust(12)}  {message}{f'  by {who}' if who != '-' else ''}"


def _cells(item: Item, *, wide: bool) -> list[str]:
    times = f" ({item['count']} times)" if item["count"] > 1 else ""
    message = item["message"] if wide else _short(item["message"])
    return [
        _moment(item["last"]),
        item["type"],
        item["reason"],
        item["namespace"] or "-",
        message + times,
        item["who"] or "-",
    ]


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _short(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:97]}..."


def _name(item: Item) -> str:
    return f"{item['object']}/{item['name']}"


_EVENTS = Shown(
    name=_name,
    head=("time", "type", "reason", "namespace", "what", "who"),
    cells=lambda item: _cells(item, wide=False),
    wide_head=("since", "what exactly"),
    wide_cells=lambda item: (_moment(item["at"]), item["message"]),
    none="nothing happened",
)
