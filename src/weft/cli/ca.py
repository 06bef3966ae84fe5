"""``weft ca``: the certificate authority of the mesh, and replacing its root while everything goes on."""

import time
from typing import Any

import click

from weft.cli import ca_revoke
from weft.cli.ca_offline import COMMANDS
from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.durations import told
from weft.cli.listing import How, Item, Shown, listing, show
from weft.cli.talk import coloured, give, say
from weft.kit.errors import UserError

_PHASES = {
    "none": "the root is not being replaced",
    "distribute": "everybody is told to believe the next root too; the old one signs",
    "sign": "the next root signs; everybody is told to take a new certificate",
    "revert": "the old root signs again; everybody is told to come back",
}
_LOOK_SECONDS = 1.0


@click.group()
def command() -> None:
    """Show the certificate authority, and replace its root."""


for _one in (*COMMANDS, ca_revoke.revoke, ca_revoke.unrevoke, ca_revoke.revocations, ca_revoke.issued):
    command.add_command(_one)


@command.command("status")
@listing
@connected
def status(connection: Connection, how: How) -> None:
    """Show everything that ends and when, and how far a replacement of the root is."""
    with Client(connection) as client:

        def ask() -> Any:
            found = client.get("/weft/v1/ca")
            return {"items": found.pop("certificates"), **found}

        show(how, ask, _SHOWN, _tell)


@command.command("rotate")
@click.option("--eager", is_flag=True, help="Drop the old root once everybody who is there has a new certificate.")
@click.option("--watch", is_flag=True, help="Go on showing the progress until it is done.")
@connected
def rotate(connection: Connection, eager: bool, watch: bool) -> None:
    """Replace the root without a lost request.

    In phases: everybody believes both roots, the next one signs, everybody takes a new certificate, the old one is
    dropped. Without --eager it is dropped only when every certificate that it signed has ended, so that workloads
    which are away come back.
    """
    with Client(connection) as client:
        _show(_told(client, "begin", eager=eager))
        if watch:
            _watch(client)


@command.command("watch")
@connected
def watch(connection: Connection) -> None:
    """Show the progress of a replacement until it is done."""
    with Client(connection) as client:
        _watch(client)


@command.command("abort")
@connected
def abort(connection: Connection) -> None:
    """Take a replacement back, in any phase."""
    with Client(connection) as client:
        _show(_told(client, "abort"))


@command.command("drop")
@connected
def drop(connection: Connection) -> None:
    """Drop the old root now; whoever still has a certificate of it must join again."""
    with Client(connection) as client:
        _show(_told(client, "drop"))


def _told(client: Client, action: str, **options: Any) -> dict[str, Any]:
    answer: dict[str, Any] = client.post("/weft/v1/ca/rotation", {"action": action, **options})
    return answer


def _watch(client: Client) -> None:
    line = ""
    while True:
        try:
            found = client.get("/weft/v1/ca")
        except UserError as away:
            said = f"the control plane does not answer: {away.message}"
            found = {}
        else:
            said = _progress(found)
        if said != line:
            say(said)
            line = said
        if found.get("phase") == "none":
            return
        time.sleep(_LOOK_SECONDS)


def _show(found: dict[str, Any]) -> None:
    answer = {"items": found["certificates"], **found}
    show(How(), lambda: answer, _SHOWN, _tell)


def _cells(one: Item) -> list[str]:
    return [one["kind"], one["name"], _state(one), "expired" if one["expiresIn"] <= 0 else told(one["expiresIn"])]


def _tell(found: dict[str, Any]) -> None:
    give(_progress(found))
    give(f"certificates of workloads hold for {told(found['leafLifetime'])}; the signer is {found['signer']}")
    give(f"{found['workloads']} workloads asked lately")
    for one in found["items"]:
        if one["worrying"]:
            say(f"{coloured('warning', 'warning')}: the {one['kind']} {one['name']} {_help(one)}")


_SHOWN = Shown(name=lambda one: f"{one['kind']}/{one['name']}", head=("what", "name", "state", "ends in"), cells=_cells)


def _state(one: dict[str, Any]) -> str:
    if one["signs"]:
        return "signs"
    if one["kind"] == "root":
        return "is believed"
    return "is renewed" if one["renewed"] else "is replaced by you"


def _help(one: dict[str, Any]) -> str:
    """What to do about something that ends."""
    if one["renewed"]:
        return "should have been renewed: see the log of the control plane, or of the workload's agent"
    match one["kind"]:
        case "root":
            return "ends: weft ca rotate, or where it belongs, if it is not weft's"
        case "intermediate":
            return "ends: weft ca request-intermediate, or replace the files"
        case _:
            return "ends: replace it"


def _progress(found: dict[str, Any]) -> str:
    said = _PHASES[found["phase"]]
    if found["behind"]:
        names = ", ".join(found["behindNames"])
        more = ", ..." if found["behind"] > len(found["behindNames"]) else ""
        return f"{said}; waiting for {found['behind']} to renew: {names}{more}"
    if found["dropIn"]:
        return f"{said}; the other root is dropped in {told(found['dropIn'])}"
    return said
