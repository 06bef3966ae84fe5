"""``weft audit``: who did what with the control plane, and whether the log of it is whole."""

from typing import Any

import click

from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.durations import DURATION
from weft.cli.listing import How, Shown, Where, listing, namespace_of, placed, show
from weft.cli.talk import give
from weft.kit.errors import UserError


@click.group(invoke_without_command=True)
@click.option("--since", type=DURATION, help="Only what happened in this time: 1h, 30m.")
@click.option("--who", default="", help="Only what somebody did whose name or group contains this.")
@click.option("--what", default="", help="Only what contains this: delete, secrets, shop/reviews.")
@click.option("--outcome", type=click.Choice(["allowed", "denied", "failed"]), help="Only what ended like this.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="At most so many entries."
)
@placed
@listing
@connected
def command(
    connection: Connection,
    since: float | None,
    who: str,
    what: str,
    outcome: str | None,
    limit: int,
    where: Where,
    how: How,
) -> None:
    """Show who did what with the control plane, newest first."""
    context = click.get_current_context()
    if context.invoked_subcommand:
        return
    query = {"who": who, "what": what, "outcome": outcome or "", "limit": str(limit)}
    if since:
        query["sinceSeconds"] = f"{since:.3f}"
    with Client(connection) as client:
        show(how, lambda: where.kept(client.get("/weft/v1/audit", **query), namespace_of), _SHOWN)


@command.command("verify")
@connected
def verify(connection: Connection) -> None:
    """Check that no line of the log was altered, inserted or removed."""
    with Client(connection) as client:
        verdict = client.get("/weft/v1/audit/verification")
    broken = verdict["broken"]
    if broken:
        raise UserError(
            f"{broken['file']}, line {broken['line']}: {broken['problem']}",
            help="compare with the copies that were shipped elsewhere; nothing after this place can be trusted",
        )
    give(f"{verdict['lines']} lines in {verdict['files']} files, each as it was written")


@command.command("shipping")
@listing
@connected
def shipping(connection: Connection, how: How) -> None:
    """Show where copies of the log go, and what did not arrive there."""
    with Client(connection) as client:
        show(how, lambda: client.get("/weft/v1/audit/shipping"), _SHIPPED)


def _row(entry: dict[str, Any]) -> list[str]:
    place = "/".join(part for part in (entry.get("namespace"), entry.get("name")) if part)
    parts = (entry.get("verb"), entry.get("action"), entry.get("resource"), place, entry.get("method"))
    call = f"{entry.get('authority', '')}{entry.get('path', '')}"
    times = f"{entry['count']} times" if entry.get("count") else ""
    who = entry.get("who", "-")
    if entry.get("acting_as"):
        who = f"{who} as {entry['acting_as']}"
    return [
        entry["time"],
        who,
        " ".join(part for part in (*parts, call, times) if part),
        f"{entry['outcome']} ({entry.get('code', '-')})",
        entry.get("source", "-"),
    ]


_SHOWN = Shown(
    name=lambda entry: str(entry["time"]),
    head=("time", "who", "what", "outcome", "from"),
    cells=_row,
    none="the audit log has no such entries",
)
_SHIPPED = Shown(
    name=lambda one: str(one["to"]),
    head=("to", "queued", "sent", "dropped", "problem"),
    cells=lambda one: [one["to"], *(str(one[name]) for name in ("queued", "sent", "dropped")), one["problem"] or "-"],
    none="the audit log is not shipped; see `weft up --audit-ship`",
)
