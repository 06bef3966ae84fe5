"""``weft report``: what auditors ask for, in one file."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.durations import DURATION
from weft.cli.report_page import page
from weft.cli.report_plaintext import plaintext
from weft.cli.talk import give, say

_HEAD = ("section", "subject", "object", "detail", "count", "status")
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
_Row = tuple[str, str, str, str, int | str, str]


@click.group()
def command() -> None:
    """Write reports for those who audit the mesh."""


command.add_command(plaintext)


@command.command("compliance")
@click.option("--since", type=DURATION, default="30d", show_default=True, help="The period, up to now.")
@click.option("-o", "output", type=click.Choice(["html", "json", "csv"]), default="html", show_default=True)
@click.option("--to", "to_file", type=click.Path(path_type=Path, dir_okay=False), help="The file to write.")
@connected
def compliance(connection: Connection, since: float, output: str, to_file: Path | None) -> None:
    """Report how the mesh is protected, and what happened in a period.

    The coverage of traffic by mutual TLS, workloads without policies, certificates that end soon or live too long,
    what was refused, and what was changed by whom. The HTML needs nothing else to be shown.
    """
    with Client(connection) as client:
        found = client.get("/weft/v1/reports/compliance", sinceSeconds=f"{since:.3f}")
    text = {"html": page, "json": _json, "csv": _csv}[output](found)
    if to_file is None:
        give(text.rstrip("\n"))
        return
    to_file.write_text(text, "utf-8", newline="")
    say(f"{to_file} written")


def _json(found: dict[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"


def _csv(found: dict[str, Any]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_HEAD)
    writer.writerows([_harmless(cell) for cell in row] for row in _rows(found))
    return out.getvalue()


def _harmless(cell: int | str) -> int | str:
    """A cell that no spreadsheet takes for a formula: what callers send is in it."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULAS) else cell


def _rows(found: dict[str, Any]) -> Iterator[_Row]:
    for edge in found["coverage"]["edges"]:
        total = edge["requests"] + edge["connections"]
        status = "ok" if edge["mtls"] == total else "without mTLS"
        yield "mtls", edge["source"], edge["destination"], f"{edge['mtls']} with mTLS", total, status
    for section, rows in (("no-policy", found["without_policy"]), ("not-strict", found["without_strict_mtls"])):
        for one in rows:
            detail = one["mtls"] if one["meshed"] else "no sidecar"
            yield section, f"{one['workload']}.{one['namespace']}", one["account"], detail, 1, "finding"
    for one in found["certificates"]:
        detail = f"{one['days_left']} of {one['days_of_life']} days left"
        yield "certificate", one["kind"], one["name"], detail, 1, one["problem"]
    for one in found["attempts"]:
        yield f"refused-{one['where']}", one["who"], one["what"], one["policy"] or one["last"], one["count"], "refused"
    for one in found["changes"]:
        yield "change", one["who"], one["what"], one["time"], 1, "done"
