"""``weft proxy``: the sidecars, whether they have what they should, and what that is."""

from typing import Any

import click
import msgspec

from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.durations import told
from weft.cli.tables import table
from weft.cli.talk import give, say
from weft.kit.errors import Missing, UserError

_TYPES = ("clusters", "endpoints", "listeners", "routes", "extensions")


@click.group()
def command() -> None:
    """Show the sidecars and what they were sent."""


@command.command("status")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table")
@connected
def status(connection: Connection, output: str) -> None:
    """Show every connected sidecar and whether it accepted its newest configuration."""
    with Client(connection) as client:
        found = client.get("/weft/v1/proxies")
    if output == "json":
        give(_json(found))
        return
    if not found["items"]:
        say("no sidecar is connected")
        return
    rows = [
        [one["name"], *(one["types"].get(name, {}).get("state", "-") for name in _TYPES), told(one["connectedSeconds"])]
        for one in found["items"]
    ]
    give(table(["name", *_TYPES, "connected"], rows))
    for one in found["items"]:
        for name, state in one["types"].items():
            if state["message"]:
                say(f"\n{one['name']} refused its {name}: {state['message']}")
        for finding in one["findings"]:
            say(f"\n{one['name']}: {finding['severity']}[{finding['code']}]: {finding['message']}")
            if finding["help"]:
                say(f"help: {finding['help']}")


@command.command("config")
@click.argument("kind", type=click.Choice(_TYPES))
@click.argument("name")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table")
@connected
def config(connection: Connection, kind: str, name: str, output: str) -> None:
    """Show what a sidecar was sent. The beginning of its NAME is enough if no other begins so."""
    with Client(connection) as client:
        full = full_name(client, name)
        found = client.get(f"/weft/v1/proxies/{full}/config/{kind}")
    give(_json(found["resources"]) if output == "json" else table(found["columns"], found["rows"]))


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


def _json(content: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode()
