"""``weft routes``: how the calls to a service go, as a sidecar has it."""

from collections.abc import Iterator
from typing import Any

import click

from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.durations import DURATION
from weft.cli.listing import How, Item, Shown, listing, show
from weft.cli.live_names import objects, proxies
from weft.cli.proxy import full_name
from weft.cli.route_signals import services_of, signals_by_route, signals_of
from weft.cli.traffic import milliseconds, percent, rate
from weft.kit.errors import Missing


@click.command()
@click.argument("service", required=False, default="", shell_complete=objects("services"))
@click.option("--from", "caller", default="", shell_complete=proxies(), help="As this sidecar has it; by default any.")
@click.option("-n", "--namespace", envvar="WEFT_NAMESPACE", default="default", help="The service's namespace.")
@click.option("-A", "--all-namespaces", is_flag=True, help="Services of all namespaces.")
@click.option("--since", type=DURATION, default="1m", show_default=True, help="How far back to look at calls.")
@listing
@connected
def command(
    connection: Connection, service: str, caller: str, namespace: str, all_namespaces: bool, since: float, how: How
) -> None:
    """Show the routes to a service: which calls go where, in which time, tried how often.

    Of rules that have a name also how their calls went, in the last minute or --since: those of every caller.
    """
    place = "" if all_namespaces else namespace
    with Client(connection) as client:
        proxy = full_name(client, caller) if caller else _any(client, place)
        where = f"{service or 'services'}{f' in {place}' if place else ''}"

        def ask() -> dict[str, Any]:
            found = client.get(f"/weft/v1/proxies/{proxy}/config/routes")
            signals = signals_by_route(client, since)
            return {"proxy": proxy, "items": [one for one in _items(found, signals) if _meant(one, service, place)]}

        shown = Shown(
            name=lambda one: f"{one['host']}:{one['port']}",
            head=("host", "port", "match", "goes to", "timeout", "tries", "route", "rate", "success", "p99"),
            cells=_cells,
            none=f"{proxy} has no routes to {where}",
        )
        show(how, ask, shown)


def _any(client: Client, namespace: str) -> str:
    """A sidecar, of the namespace if it has one."""
    found = client.get("/weft/v1/proxies")["items"]
    if not found:
        raise Missing("no sidecar is connected", help="routes are shown as a sidecar has them")
    near = [one for one in found if one["namespace"] == namespace]
    return str((near or found)[0]["name"])


def _cells(one: Item) -> list[str]:
    said = [str(one[name]) for name in ("host", "port", "match", "to", "timeout", "tries")]
    signals = one["signals"]
    if signals is None:
        return [*said, one["name"] or "-", "-", "-", "-"]
    return [*said, one["name"], rate(signals["rate"]), percent(signals["success"]), milliseconds(signals["p99"])]


def _items(found: dict[str, Any], signals: dict[str, list[Item]]) -> Iterator[Item]:
    """The routes of a proxy, each with the host that a caller asks for. Rows and resources are in one order."""
    rows = iter(found["rows"])
    for table in found["resources"]:
        for host in table.get("virtual_hosts", ()):
            for route in host.get("routes", ()):
                _, _, match, to = next(rows)
                name, _, port = str(host.get("name", "")).rpartition(":")
                action = route.get("route", {})
                retries = action.get("retry_policy", {}).get("num_retries")
                yield {
                    "table": table["name"],
                    "name": (called := str(route.get("name", ""))),
                    "signals": signals_of(called, services_of(action), signals),
                    "host": name or host.get("name", ""),
                    "port": port or "-",
                    "match": match,
                    "to": to,
                    "timeout": action.get("timeout", "-") if action else "-",
                    "tries": 1 + int(retries) if retries is not None else "-",
                }


def _meant(one: Item, service: str, namespace: str) -> bool:
    name, _, rest = one["host"].partition(".")
    if str(one["table"]).startswith("inbound"):
        return False
    own = rest.partition(".")[0]
    if service and service not in (name, one["host"], f"{name}.{own}"):
        return False
    return not namespace or own == namespace or (bool(service) and service == one["host"])
