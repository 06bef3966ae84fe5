"""``weft stat``: golden signals of what is called."""

import click
from msgspec.structs import replace

from weft.cli.connection import Connection, connected
from weft.cli.errors import Usage
from weft.cli.listing import LISTED, Item, Shown
from weft.cli.traffic import Asked, asking, milliseconds, percent, rate, show_traffic, size


@click.command()
@click.argument("by", type=click.Choice(["service", "workload", "namespace", "route"]), default="service")
@asking(LISTED)
@connected
def command(connection: Connection, by: str, asked: Asked) -> None:
    """Show success rate, calls a second and latencies of services and of routes.

    A route is a rule with a name that leads to a service; calls by rules without one are told together.
    `ready` says how many of their instances are called, and how many are about to end and finish what they have.
    Every call is counted in its caller's sidecar, or in the callee's where the caller has none. Sidecars tell what they
    counted every 5 s. What is older than an hour is told apart by the minute, older than a day by a quarter of an hour.
    """
    namespaces = by == "namespace"
    question = replace(asked, namespace="") if namespaces else asked
    if asked.selector and by not in ("service", "route"):
        raise Usage("-l selects services", help=f"leave it out, or `{by}`")
    shown = _shown(across=not asked.namespace and not namespaces, by=by)
    show_traffic(connection, "/weft/v1/stat", question, shown, lambda item: (item["namespace"], item["name"]), by=by)


def _shown(*, across: bool, by: str) -> Shown:
    routes, counted = by == "route", by in ("service", "workload")

    def cells(item: Item) -> list[str]:
        latency = item["latency"]
        return [
            *([item["namespace"]] if across else []),
            item["name"],
            *([item["route"] or "-"] if routes else []),
            *([_ready(item)] if counted else []),
            percent(item["success"]),
            rate(item["rate"]),
            *(milliseconds(latency[name]) for name in ("p50", "p95", "p99")),
            str(item["connections"]),
        ]

    names = [*(["namespace"] if across else []), "name", *(["route"] if routes else [])]
    return Shown(
        name=lambda item: f"{item['name']}/{item['route']}" if item["route"] else item["name"],
        head=(*names, *(["ready"] if counted else []), "success", "rate", "p50", "p95", "p99", "conns"),
        cells=cells,
        wide_head=("requests", "errors", "4xx", "mtls", "callers", "received", "sent"),
        wide_cells=lambda item: [
            *(str(item[name]) for name in ("requests", "errors", "clientErrors")),
            percent(item["mutualTls"]),
            str(item["callers"]),
            size(item["received"]),
            size(item["sent"]),
        ],
    )


def _ready(item: Item) -> str:
    """Of its instances as they are now; ``-`` where none are registered, or a moment of the past is asked about."""
    found = item.get("endpoints")
    if not found:
        return "-"
    draining = f", {found['draining']} draining" if found["draining"] else ""
    return f"{found['healthy']}/{found['total']}{draining}"
