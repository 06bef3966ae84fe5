"""``weft limits``: what is limited, and who asked for the limits that are counted for all proxies."""

from typing import Any

import click

from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.listing import How, Shown, Where, listing, placed, show
from weft.cli.tables import table
from weft.cli.talk import give

_UNITS = {1: "second", 60: "minute", 3600: "hour", 86_400: "day"}


@click.group()
def command() -> None:
    """Show rate limits and who is limited by them."""


@command.command("list")
@placed
@listing
@connected
def show_limits(connection: Connection, where: Where, how: How) -> None:
    """Show every limit; of those that are counted for all proxies also who asked, and how often.

    What each proxy counts alone, it alone knows: its statistics have it under `rate_limit`.
    """
    with Client(connection) as client:

        def ask() -> Any:
            found = client.get("/weft/v1/limits")
            asked = [one for one in found["asked"] if where.namespace in ("", _namespace(one["limit"]))]
            return where.kept({"items": found["limits"], "asked": asked}, lambda one: _namespace(one["name"]))

        show(how, ask, _SHOWN, _tell_asked)


def _namespace(name: str) -> str:
    return name.partition("/")[0]


def _tell_asked(answer: dict[str, Any]) -> None:
    if answer["asked"]:
        rows = [[one["limit"], ",".join(one["values"]) or "-", *_counts(one)] for one in answer["asked"]]
        give("\n" + table(["limit", "who", "passed", "refused"], rows))


def _row(one: dict[str, Any]) -> list[str]:
    burst = f", {one['burst']} at once" if one["burst"] != one["requests"] and not one["shared"] else ""
    allows = f"{one['requests']} a {_UNITS.get(one['seconds'], str(one['seconds']) + ' s')}{burst}"
    where = "the control plane" if one["shared"] else "each proxy"
    shadow = " (shadow)" if one["shadow"] else ""
    each = "new connections" if one.get("connections") else ",".join(one["by"]) or "-"
    return [one["name"], allows, where + shadow, each, ",".join(one["targets"])]


def _counts(one: dict[str, Any]) -> list[str]:
    return [str(one["passed"]), str(one["refused"])]


_SHOWN = Shown(
    name=lambda one: str(one["name"]),
    head=("limit", "allows", "counted by", "for each", "targets"),
    cells=_row,
    none="there is no rate limit",
)
