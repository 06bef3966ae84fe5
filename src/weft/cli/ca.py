"""``weft ca``: the certificate authority of the mesh, and replacing its root while everything goes on."""

import time
from typing import Any

import click

from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.durations import told
from weft.cli.tables import table
from weft.cli.talk import give, say
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


@command.command("status")
@connected
def status(connection: Connection) -> None:
    """Show the roots, when they end, and how far a replacement is."""
    with Client(connection) as client:
        _show(client.get("/weft/v1/ca"))


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
    rows = [
        [root["fingerprint"][:16], "signs" if root["signs"] else "is believed", told(root["expiresIn"])]
        for root in found["roots"]
    ]
    give(table(["root", "state", "ends in"], rows))
    give(_progress(found))
    give(f"certificates of workloads hold for {told(found['leafLifetime'])}")
    give(f"{found['workloads']} workloads asked lately")


def _progress(found: dict[str, Any]) -> str:
    said = _PHASES[found["phase"]]
    if found["behind"]:
        names = ", ".join(found["behindNames"])
        more = ", ..." if found["behind"] > len(found["behindNames"]) else ""
        return f"{said}; waiting for {found['behind']}: {names}{more}"
    if found["dropIn"]:
        return f"{said}; the other root is dropped in {told(found['dropIn'])}"
    return said
