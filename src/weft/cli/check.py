"""``weft check``: is the mesh well; each line one named check, and what to do about those that are not."""

from itertools import groupby

import click
import msgspec

from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.errors import Told
from weft.cli.talk import coloured, give
from weft.kit.value import Value

_COLOURS = {"ok": "ok", "warn": "warning", "fail": "error"}


class Result(Value):
    """One thing that was looked at: ``state`` is ``ok``, ``warn`` or ``fail``."""

    name: str
    group: str
    state: str
    message: str
    help: str = ""
    namespace: str = ""


class _Health(Value):
    """What the control plane says."""

    version: str
    checks: tuple[Result, ...]


@click.command()
@click.option("--pre", is_flag=True, help="Check this machine instead, before there is a control plane.")
@click.option("--strict", is_flag=True, help="End with 3 if there are warnings.")
@click.option("-o", "--output", type=click.Choice(["text", "short", "json"]), default="text")
@connected
def command(connection: Connection, pre: bool, strict: bool, output: str) -> None:
    """Check the control plane, the sidecars and the certificates.

    `-o short` shows only what is not well.
    """
    results = _of_machine() if pre else _of_mesh(connection)
    if output == "json":
        give(msgspec.json.format(msgspec.json.encode(results), indent=2).decode())
    else:
        _show(results, short=output == "short")
    states = {result.state for result in results}
    if "fail" in states or ("warn" in states and strict):
        raise Told(1 if "fail" in states else 3)


def _of_mesh(connection: Connection) -> tuple[Result, ...]:
    with Client(connection) as client:
        health = msgspec.convert(client.get("/weft/v1/health"), _Health)
    about = f"the control plane answers: weft {health.version}"
    return (Result(name="control-plane-answers", group="control plane", state="ok", message=about), *health.checks)


def _of_machine() -> tuple[Result, ...]:
    from weft.cli.check_machine import checks

    return tuple(
        Result(name=one.name, group=one.group, state=one.level.value, message=one.message, help=one.help)
        for one in checks()
    )


def _show(results: tuple[Result, ...], *, short: bool) -> None:
    shown = [one for one in results if not short or one.state != "ok"]
    for group, members in groupby(shown, key=lambda one: one.group):
        give(group)
        for one in members:
            give(f"  {coloured(one.state.ljust(4), _COLOURS[one.state])}  {one.message}  ({one.name})")
            if one.help:
                give(f"        {coloured('help')}: {one.help}")
