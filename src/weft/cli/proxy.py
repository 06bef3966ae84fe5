"""``weft proxy``: the sidecars, whether they have what they should, what they run, and how much they log."""

import difflib
from typing import Any

import click

from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.durations import told
from weft.cli.errors import Usage
from weft.cli.listing import How, Item, Shown, listing, repeat, show, tell, written
from weft.cli.live_names import of, proxies
from weft.cli.proxy_here import pointing_here, show_here, upgrade
from weft.cli.selecting import SELECTOR
from weft.cli.tables import table
from weft.cli.talk import give, say
from weft.kit.errors import Missing, UserError

_TYPES = ("clusters", "endpoints", "listeners", "routes", "extensions")
_KNOWN_LEVELS = ("trace", "debug", "info", "warning", "error", "critical", "off")


@click.group()
def command() -> None:
    """Show the sidecars and what they were sent."""


command.add_command(show_here)
command.add_command(upgrade)


@command.command("status")
@click.option("-n", "--namespace", default="", help="Only sidecars of this namespace.")
@click.option("-A", "--all-namespaces", is_flag=True, help="Of all namespaces, as without -n.")
@SELECTOR
@listing
@connected
def status(connection: Connection, namespace: str, all_namespaces: bool, selector: str, how: How) -> None:
    """Show every connected sidecar and whether it accepted its newest configuration."""
    asked = {"namespace": "" if all_namespaces else namespace, "labelSelector": selector}
    with Client(connection) as client, pointing_here():
        show(how, lambda: client.get("/weft/v1/proxies", **asked), _SHOWN, _tell)


@command.command("config")
@click.argument("kind", type=click.Choice(_TYPES))
@click.argument("name", shell_complete=proxies())
@listing
@connected
def config(connection: Connection, kind: str, name: str, how: How) -> None:
    """Show what a sidecar was sent. The beginning of its NAME is enough if no other begins so."""

    def once(found: Any) -> None:
        match how.output:
            case "json" | "yaml":
                give(written(found["resources"], how.output))
            case "name":
                give("\n".join(dict.fromkeys(row[0] for row in found["rows"])))
            case _:
                give(table(found["columns"], found["rows"]))

    with Client(connection) as client:
        path = f"/weft/v1/proxies/{full_name(client, name)}/config/{kind}"
        repeat(how, lambda: client.get(path), once)


@command.command("diff")
@click.argument("name", shell_complete=proxies())
@click.option("--show", "texts", is_flag=True, help="Also the resources that differ, as unified diffs.")
@listing
@connected
def diff(connection: Connection, name: str, texts: bool, how: How) -> int:
    """Show what a sidecar runs that it was not sent, and the other way round.

    The sidecar itself is asked, through its agent. Ends with 0 if it runs what it was sent, with 1 if not.
    """
    with Client(connection) as client:
        path = f"/weft/v1/proxies/{full_name(client, name)}/running"
        last = tell(
            how,
            lambda: {"items": client.get(path)["items"]},
            lambda found: _differences(found["items"], texts=texts or how.output == "wide"),
            lambda found: [f"{one['kind']}/{one['name']}" for one in _apart(found["items"])],
        )
    return 1 if _apart(last["items"]) else 0


@command.command("log-level")
@click.argument("name", shell_complete=proxies())
@click.argument("levels", nargs=-1, metavar="[LEVEL | LOGGER=LEVEL]...", shell_complete=of(*_KNOWN_LEVELS))
@listing
@connected
def log_level(connection: Connection, name: str, levels: tuple[str, ...], how: How) -> None:
    """Show how much a sidecar logs, or change it until it ends.

    A LEVEL alone is for all loggers: `weft proxy log-level web-1 info http=trace`.
    """
    wanted = dict(_level(text) for text in levels)
    with Client(connection) as client:
        path = f"/weft/v1/proxies/{full_name(client, name)}/log-levels"
        show(how, lambda: client.put(path, {"levels": wanted}) if wanted else client.get(path), _LEVELS)


def full_name(client: Client, name: str) -> str:
    """The name of the one sidecar whose name begins so. Raises ``Missing`` or ``UserError``."""
    names: list[str] = [one["name"] for one in client.get("/weft/v1/proxies")["items"]]
    if name in names:
        return name
    match [one for one in names if one.startswith(name)]:
        case [only]:
            return only
        case []:
            known = f"connected are {', '.join(names)}" if names else "no sidecar is connected"
            raise Missing(f"there is no sidecar {name}", help=known)
        case many:
            raise UserError(f"{name} may be any of {', '.join(many)}", help="write more of the name")


def _level(text: str) -> tuple[str, str]:
    logger, equals, level = text.rpartition("=")
    if equals and not logger:
        raise Usage(f"{text!r} names no logger", help="write LEVEL, or LOGGER=LEVEL")
    return logger, level.lower()


def _apart(items: list[Item]) -> list[Item]:
    return [one for one in items if one["state"] != "same"]


def _differences(items: list[Item], *, texts: bool) -> str:
    apart = _apart(items)
    if not apart:
        return f"{len(items)} resources run as they were sent"
    rows = [[one["kind"], one["name"], one["state"], one["problem"] or "-"] for one in apart]
    return "\n\n".join([table(["kind", "name", "state", "problem"], rows), *(_unified(one) for one in apart if texts)])


def _unified(one: Item) -> str:
    sent, running = (written(part, "yaml").splitlines() if part else [] for part in (one["sent"], one["running"]))
    name = f"{one['kind']}/{one['name']}"
    return "\n".join(difflib.unified_diff(sent, running, f"sent {name}", f"running {name}", lineterm=""))


def _tell(found: dict[str, Any]) -> None:
    for one in found.get("absent", ()):
        say(f"\n{one['name']} is registered and its proxy is not connected: it goes on with what it has")
    for one in found["items"]:
        for name, state in one["types"].items():
            if state["message"]:
                say(f"\n{one['name']} refused its {name}: {state['message']}")
        for finding in one["findings"]:
            say(f"\n{one['name']}: {finding['severity']}[{finding['code']}]: {finding['message']}")
            if finding["help"]:
                say(f"help: {finding['help']}")


_LEVELS = Shown(
    name=lambda one: str(one["logger"]),
    head=("logger", "level"),
    cells=lambda one: [one["logger"], one["level"]],
    none="it has no loggers",
)
_SHOWN = Shown(
    name=lambda one: str(one["name"]),
    head=("name", *_TYPES, "connected"),
    cells=lambda one: [
        one["name"],
        *(one["types"].get(name, {}).get("state", "-") for name in _TYPES),
        told(one["connectedSeconds"]),
    ],
    wide_head=("identity", "labels"),
    wide_cells=lambda one: [
        one["identity"],
        ",".join(f"{key}={value}" for key, value in one["labels"].items()) or "-",
    ],
    none="no sidecar is connected",
)
