"""``weft breaker``: the states of circuit breakers, and decisions in their place.

A decision is a field of the document, so it holds for every proxy, also while the control plane is away.
"""

import time
from typing import Any

import click
import msgspec

from weft.cli import live_names
from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.durations import told
from weft.cli.listing import How, Item, Shown, Where, listing, placed, show
from weft.cli.tables import table
from weft.cli.talk import give

_PATH = "/apis/weft.dev/v1alpha1/namespaces/{namespace}/circuitbreakers/{name}"
_MERGE = {"Content-Type": "application/merge-patch+json"}
_SHOWN_EVENTS = 20

_named = click.argument("name", shell_complete=live_names.objects("circuitbreakers"))
_where = click.option("-n", "--namespace", envvar="WEFT_NAMESPACE", default="default", help="The breaker's namespace.")


@click.group()
def command() -> None:
    """Show circuit breakers, and open, close or reset them."""


@command.command("list")
@click.option("--events", is_flag=True, help="Also show what happened lately.")
@placed
@listing
@connected
def show_breakers(connection: Connection, events: bool, where: Where, how: How) -> None:
    """Show the state of every breaker in every proxy that has used it."""
    with Client(connection) as client:

        def ask() -> Any:
            found = client.get("/weft/v1/breakers")
            return where.kept({"items": _items(found), "events": found["events"]}, _namespace)

        show(how, ask, _SHOWN, (lambda answer: _tell(answer["events"])) if events else None)


@command.command("force-open")
@_named
@_where
@connected
def force_open(connection: Connection, name: str, namespace: str) -> None:
    """Refuse every call that a breaker guards, until it is reset."""
    _change(connection, namespace, name, {"force": "Open"}, "forced open")


@command.command("force-closed")
@_named
@_where
@connected
def force_closed(connection: Connection, name: str, namespace: str) -> None:
    """Let every call pass that a breaker guards, until it is reset."""
    _change(connection, namespace, name, {"force": "Closed"}, "forced closed")


@command.command("reset")
@_named
@_where
@connected
def reset(connection: Connection, name: str, namespace: str) -> None:
    """Close a breaker, forget what it counted, and let it decide again."""
    _change(connection, namespace, name, {"force": None, "resetAt": f"{time.time():.3f}"}, "reset")


def _change(connection: Connection, namespace: str, name: str, spec: dict[str, Any], done: str) -> None:
    path = _PATH.format(namespace=namespace, name=name)
    with Client(connection) as client:
        client.ask("PATCH", path, content=msgspec.json.encode({"spec": spec}), headers=_MERGE)
    give(f"circuitbreaker.weft.dev/{name} {done}")


def _items(found: dict[str, Any]) -> list[Item]:
    """An item for each state; a breaker that no proxy has used yet has one too."""
    forced = {one["name"]: one["forced"] for one in found["breakers"]}
    items = [one | {"forced": forced.get(one["breaker"], "")} for one in found["states"]]
    used = {one["breaker"] for one in found["states"]}
    unused = (one for one in found["breakers"] if one["name"] not in used)
    items += [
        {"breaker": one["name"], "destination": ",".join(one["targets"]), "proxy": "", "forced": one["forced"]}
        for one in unused
    ]
    return sorted(items, key=lambda one: (one["breaker"], one["destination"], one["proxy"]))


def _namespace(one: Item) -> str:
    return str(one["breaker"]).partition("/")[0]


def _cells(one: Item) -> list[str]:
    if not one["proxy"]:
        return [one["breaker"], one["destination"], "-", _state("closed", one["forced"]), *["-"] * 6]
    counts = (str(one[name]) for name in ("calls", "failures", "slow", "refused", "opened"))
    state = _state(one["state"], one["forced"])
    if one["state"] == "open" and not one["forced"]:
        state += f" for {told(one['remaining'])}" if one["remaining"] >= 1 else ", tried next"
    return [one["breaker"], one["destination"], one["proxy"], state, told(time.time() - one["since"]), *counts]


def _state(state: str, forced: str) -> str:
    return f"forced {forced.lower()}" if forced else state


def _tell(events: list[dict[str, Any]]) -> None:
    lines = [
        [_moment(one["at"]), one["breaker"], one["destination"], one["proxy"], f"{one['before']} -> {one['after']}"]
        for one in events[-_SHOWN_EVENTS:]
    ]
    if lines:
        give("\n" + table([], lines))


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


_SHOWN = Shown(
    name=lambda one: str(one["breaker"]),
    head=("breaker", "destination", "proxy", "state", "since", "calls", "failed", "slow", "refused", "opened"),
    cells=_cells,
    none="there is no circuit breaker",
)
