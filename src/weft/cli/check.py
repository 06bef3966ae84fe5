"""``weft check``: is the mesh well; each line one named check, and what to do about those that are not."""

from collections.abc import Iterator
from itertools import groupby

import click
import msgspec

from weft.cli.client import Client
from weft.cli.connection import Connection, connected
from weft.cli.errors import Told
from weft.cli.listing import LISTED, How, Shown, give_items, repeat
from weft.cli.talk import coloured, give
from weft.kit.errors import Unreachable
from weft.kit.value import Value

_COLOURS = {"ok": "ok", "warn": "warning", "fail": "error"}
_SHOWN = Shown(
    name=lambda one: str(one["name"]),
    head=("check", "group", "state", "message"),
    cells=lambda one: [one["name"], one["group"], one["state"], one["message"]],
    wide_head=("namespace", "help"),
    wide_cells=lambda one: [one["namespace"] or "-", one["help"] or "-"],
    none="nothing was looked at",
    colours=_COLOURS,
)


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
@click.option("-n", "--namespace", default="", help="Of what is in a namespace, only this one.")
@click.option("-A", "--all-namespaces", is_flag=True, help="All namespaces, as without -n.")
@click.option(
    "-o", "--output", type=click.Choice(["text", "short", *LISTED]), default="text", show_default=True,
    help="text: in groups, with help; short: only what is not well.",
)  # fmt: skip
@click.option("-w", "--watch", is_flag=True, help="Go on and show it anew, until Ctrl-C.")
@connected
def command(
    connection: Connection,
    pre: bool,
    strict: bool,
    namespace: str,
    all_namespaces: bool,
    output: str,
    watch: bool,
) -> None:
    """Check the control plane, the sidecars and the certificates.

    `-o short` shows only what is not well. With --watch it ends with Ctrl-C, not with a code.
    """
    only = "" if all_namespaces else namespace

    def ask() -> tuple[Result, ...]:
        found = _of_machine() if pre else _of_mesh(connection)
        return tuple(one for one in found if not only or one.namespace in ("", only))

    def once(results: tuple[Result, ...]) -> None:
        if output in ("text", "short"):
            _show(results, short=output == "short")
        else:
            give_items(How(output=output), {"items": msgspec.to_builtins(results)}, _SHOWN)

    results = repeat(How(output=output, watch=watch), ask, once)
    states = {result.state for result in results}
    if "fail" in states or ("warn" in states and strict):
        raise Told(1 if "fail" in states else 3)


def _of_mesh(connection: Connection) -> tuple[Result, ...]:
    try:
        with Client(connection) as client:
            health = msgspec.convert(client.get("/weft/v1/health"), _Health)
    except Unreachable as away:
        here = tuple(_of_host())
        if not here:
            raise
        said = Result(
            name="control-plane-answers", group="control plane", state="fail", message=str(away), help=away.help or ""
        )
        return (said, *here)
    about = f"the control plane answers: weft {health.version}"
    return (Result(name="control-plane-answers", group="control plane", state="ok", message=about), *health.checks)


def _of_host() -> Iterator[Result]:
    """The proxies of this host, as their agents say: while the control plane is away, nobody else can."""
    from weft.cli.proxy_here import old_here

    for _, fresh, about in old_here():
        help_ = "" if fresh else "it follows the control plane again as soon as that answers"
        name, state = ("proxy-here", "ok") if fresh else ("proxy-last-good", "warn")
        yield Result(name=name, group="proxies of this host", state=state, message=about, help=help_)


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
