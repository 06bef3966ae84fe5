"""``weft edges``: who calls whom, and how it is secured."""

import click
from msgspec.structs import replace

from weft.cli.connection import Connection, connected
from weft.cli.listing import LISTED, Item, Shown
from weft.cli.traffic import Asked, asking, milliseconds, percent, rate, show_traffic

_SECURED = {"mutual_tls": "mTLS", "none": "plaintext"}


@click.command()
@click.option("--routes", is_flag=True, help="Tell calls apart by the rule with a name that sent them.")
@asking(LISTED)
@connected
def command(connection: Connection, asked: Asked, routes: bool) -> None:
    """Show who called whom, how it was secured and how it went."""
    more = {"by": "route"} if routes else {}
    show_traffic(connection, "/weft/v1/edges", asked, _BY_ROUTE if routes else _SHOWN, _called, **more)


def _called(item: Item) -> tuple[str, str]:
    return item["destination"]["namespace"], item["service"].partition(".")[0]


def _side(end: dict[str, str]) -> str:
    return f"{end['namespace']}/{end['workload']}"


def _cells(item: Item) -> list[str]:
    return [
        _side(item["source"]),
        _side(item["destination"]),
        item["service"],
        item["protocol"],
        _SECURED[item["security"]],
        rate(item["rate"]),
        percent(item["success"]),
        milliseconds(item["latency"]["p99"]),
    ]


def _wide(item: Item) -> list[str]:
    codes = ",".join(f"{code}:{count}" for code, count in item["codes"].items())
    connections = item["connections"]
    return [
        str(item["requests"]),
        codes or "-",
        f"{connections['opened']}/{connections['closed']}",
        item["source"]["principal"] or "-",
        item["destination"]["principal"] or "-",
    ]


_SHOWN = Shown(
    name=lambda item: f"{_side(item['source'])} -> {_side(item['destination'])}",
    head=("source", "destination", "service", "protocol", "secured", "rate", "success", "p99"),
    cells=_cells,
    wide_head=("requests", "codes", "opened/closed", "client", "server"),
    wide_cells=_wide,
)
_BY_ROUTE = replace(
    _SHOWN,
    head=(*_SHOWN.head[:4], "route", *_SHOWN.head[4:]),
    cells=lambda item: [*(cells := _cells(item))[:4], item["route"] or "-", *cells[4:]],
)
