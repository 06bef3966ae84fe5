"""``weft events``: what happened in the mesh, in order."""

import time
from datetime import datetime
from typing import Any

import click
import msgspec
import yaml

from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.durations import DURATION
from weft.cli.tables import table
from weft.cli.talk import coloured, give, say

_EVERY = 1.0
_TYPES = ("config", "proxy", "endpoint", "certificate", "health", "slo", "anomaly", "breaker")
Item = dict[str, Any]


@click.command()
@click.option("--since", type=DURATION, default="1h", show_default=True, help="How far back to look.")
@click.option("--type", "types", multiple=True, type=click.Choice(_TYPES), help="Only what is of this kind.")
@click.option("-n", "--namespace", default="", help="Only what happened in a namespace.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens from now on, until Ctrl-C.")
@click.option("--limit", type=click.IntRange(1, 5000), default=500, show_default=True, help="At most so many.")
@click.option("-o", "--output", type=click.Choice(["table", "wide", "json", "yaml", "name"]), default="table")
@connected
def command(
    connection: Connection, since: float, types: tuple[str, ...], namespace: str, follow: bool, limit: int, output: str
) -> None:
    """Show what happened: configuration, proxies, endpoints, certificates, alerts."""
    asked = {"type": ",".join(types), "namespace": namespace, "limit": str(limit)}
    with Client(connection) as client:
        answer = client.get("/weft/v1/events", sinceSeconds=f"{since:.3f}", **asked)
        _show(answer["items"], output, follow=follow)
        while follow:
            time.sleep(_EVERY)
            fresh = client.get("/weft/v1/events", after=f"{answer['now']:.6f}", **asked)
            for item in fresh["items"]:
                give(_line(item, output))
            answer = fresh


def _show(items: list[Item], output: str, *, follow: bool) -> None:
    if follow:
        for item in items:
            give(_line(item, output))
        return
    match output:
        case "json":
            give(msgspec.json.format(msgspec.json.encode({"items": items})).decode())
        case "yaml":
            give(yaml.safe_dump({"items": items}, sort_keys=False).rstrip())
        case "name":
            for item in items:
                give(_line(item, output))
        case _ if not items:
            say("nothing happened")
        case _:
            head = ["time", "type", "reason", "namespace", "what", "who"]
            give(table(head, [_cells(item, wide=output == "wide") for item in items]))


def _line(item: Item, output: str) -> str:
    """One event of those that are followed."""
    if output == "json":
        return msgspec.json.encode(item).decode()
    if output == "yaml":
        return "---\n" + yaml.safe_dump(item, sort_keys=False).rstrip()
    if output == "name":
        return f"{item['object']}/{item['name']}"
    at, kind, reason, namespace, message, who = _cells(item, wide=output == "wide")
    shown = coloured(reason.ljust(16), "warning" if item["warning"] else "ok")
    return f"{at}  {kind.ljust(11)}  {shown}  {namespace.ljust(12)}  {message}{f'  by {who}' if who != '-' else ''}"


def _cells(item: Item, *, wide: bool) -> list[str]:
    at = datetime.fromtimestamp(item["last"]).astimezone()
    times = f" ({item['count']} times)" if item["count"] > 1 else ""
    message = item["message"] if wide else _short(item["message"])
    return [
        at.strftime("%Y-%m-%d %H:%M:%S" if wide else "%H:%M:%S"),
        item["type"],
        item["reason"],
        item["namespace"] or "-",
        message + times,
        item["who"] or "-",
    ]


def _short(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:97]}..."
