"""``weft ca revoke``, ``unrevoke``, ``revocations`` and ``issued``: certificates that count no more."""

from typing import Any

import click

from weft.cli import live_names
from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.durations import told
from weft.cli.errors import Usage
from weft.cli.listing import How, Shown, Where, listing, namespace_of, placed, show
from weft.cli.talk import give
from weft.kit.errors import Missing

_PATH = "/weft/v1/revocations"


@click.command("revoke")
@click.argument("workload", required=False, default="", shell_complete=live_names.workloads())
@click.option("-n", "--namespace", default="default", show_default=True, help="The namespace of the workload.")
@click.option("--account", default="", metavar="NAMESPACE/NAME", help="All workloads of an account, also later ones.")
@click.option("--reason", default="", help="Kept with it.")
@connected
def revoke(connection: Connection, workload: str, namespace: str, account: str, reason: str) -> None:
    """Let the certificates of a WORKLOAD, or of an account, count no more.

    The control plane refuses them at once; sidecars refuse new connections and end those that are open within seconds.
    A workload may join again with a new token, an account may not.
    """
    if bool(workload) == bool(account):
        raise Usage("nothing, or too much, says what to revoke", help="name a WORKLOAD, or --account NAMESPACE/NAME")
    space, slash, name = account.partition("/")
    if account and not (space and slash and name):
        raise Usage(f"{account!r} is no account", help="write --account NAMESPACE/NAME")
    what = {"namespace": space, "serviceAccount": name} if account else {"namespace": namespace, "workload": workload}
    with Client(connection) as client:
        for entry in client.post(_PATH, what | {"reason": reason})["items"]:
            give(f"{_what(entry)} revoked ({entry['id']})")


@click.command("unrevoke")
@click.argument(
    "ids",
    nargs=-1,
    required=True,
    metavar="ID|WORKLOAD|NAMESPACE/ACCOUNT...",
    shell_complete=live_names.listed("revocations", "workload"),
)
@connected
def unrevoke(connection: Connection, ids: tuple[str, ...]) -> None:
    """Take revocations back, by what `weft ca revocations` shows."""
    with Client(connection) as client:
        known = client.get(_PATH)["items"]
        for wanted in ids:
            found = [entry for entry in known if wanted in (entry["id"], _name(entry))]
            if not found:
                raise Missing(f"{wanted} is not revoked", help="see weft ca revocations")
            for entry in found:
                client.ask("DELETE", f"{_PATH}/{entry['id']}")
                give(f"{_what(entry)} counts again")


@click.command("revocations")
@placed
@listing
@connected
def revocations(connection: Connection, where: Where, how: How) -> None:
    """List what is revoked."""
    with Client(connection) as client:
        show(how, lambda: where.kept(client.get(_PATH), namespace_of), _REVOKED)


@click.command("issued")
@placed
@listing
@connected
def issued(connection: Connection, where: Where, how: How) -> None:
    """List the workloads that have a certificate."""
    with Client(connection) as client:
        show(how, lambda: where.kept(client.get("/weft/v1/certificates"), namespace_of), _ISSUED)


def _row(one: dict[str, Any]) -> list[str]:
    state = "revoked" if one["revoked"] else "good"
    return [one["workload"] or "-", one["namespace"], one["serviceAccount"], told(one["expiresIn"]), state]


def _name(entry: dict[str, Any]) -> str:
    return entry["workload"] if not entry["wholeAccount"] else f"{entry['namespace']}/{entry['serviceAccount']}"


def _what(entry: dict[str, Any]) -> str:
    account = f"account {entry['namespace']}/{entry['serviceAccount']}"
    return account if entry["wholeAccount"] else f"workload {entry['workload']} of {account}"


_REVOKED = Shown(
    name=lambda one: str(one["id"]),
    head=("id", "what", "age", "by", "reason"),
    cells=lambda one: [one["id"], _what(one), told(one["age"]), one["by"], one["reason"] or "-"],
    none="nothing is revoked",
)
_ISSUED = Shown(
    name=lambda one: str(one["workload"] or one["serviceAccount"]),
    head=("workload", "namespace", "service account", "ends in", "state"),
    cells=_row,
    none="no workload has a certificate",
)
