"""``weft capture``: what capture does to this host, what it has done, and its end. Needs no control plane."""

import asyncio
from pathlib import Path
from typing import Any

import click

from weft.agent.capture import cgroup, ledger
from weft.agent.capture.capturing import Places, rules_for
from weft.agent.capture.cgroup import place
from weft.agent.capture.config import CaptureConfig
from weft.agent.capture.inside import Inside, Turns, inside_of, inside_text
from weft.agent.capture.iptables import iptables_text
from weft.agent.capture.mechanism import FAMILIES, IPTABLES, NFT, OWNED, mechanism_for, present
from weft.agent.capture.namespaces import refusal
from weft.agent.capture.networked import check, refused
from weft.agent.capture.nft import nft_text
from weft.agent.capture.rules import ByCgroup, ByOthers, ByUser, Rules
from weft.agent.capture.scope import is_apart, scope_of
from weft.agent.capture.settling import clean as undo
from weft.agent.capture.settling import clean_stray, strays
from weft.agent.config import parse_port
from weft.cli.capture_options import plan_options
from weft.cli.listing import How, Shown, listing, show
from weft.cli.live_names import local
from weft.cli.talk import give, say
from weft.kit.errors import Missing, UserError

_OUTBOUND, _INBOUND, _RESOLVER = 15001, 15006, 15053
"""What stands for the sidecar's ports where none is running: those are free ones."""


_NETWORK = """\
# unshare --user --net: the application is started in a network of its own, beside a relay to its sidecar;
# nothing is changed on the host, and these are the rules in there
"""


@click.group()
def command() -> None:
    """Show, plan and undo what turns connections to sidecars."""


@command.command("plan")
@click.option("--name", default="planned", help="The workload's name, as for `weft run`.")
@click.option("--port", "ports", multiple=True, metavar="[NAME:]PORT[:APP_PORT]", help="As for `weft run`.")
@click.option("--as", "form", type=click.Choice([NFT, IPTABLES]), help="For these tools; default: what would be used.")
@click.option("--no-dns", is_flag=True, help="As for `weft run`.")
@plan_options
def plan(
    name: str, ports: tuple[str, ...], form: str | None, no_dns: bool, capture: CaptureConfig, run_as: str
) -> None:
    """Print what `weft run --capture` would do with the same options, or what it does for a workload that runs.

    Nothing is changed. The sidecar's ports are chosen when it starts; 15001, 15006 and 15053 stand for them.
    """
    running = next((one for one in ledger.entries().values() if one.rules.workload == name and one.here), None)
    if running is not None:
        give(_text(running.rules, form or running.mechanism))
        return
    own = tuple(one.app_port or one.port for one in (parse_port(text) for text in ports))
    if is_apart(capture):
        give(_apart(capture, own, no_dns=no_dns, run_as=run_as))
        return
    who = scope_of(name, capture, run_as)
    rules = rules_for(
        name, capture, who, Places(outbound=_OUTBOUND, inbound=_INBOUND, own_ports=own, dns=0 if no_dns else _RESOLVER)
    )
    give(_text(rules, form or asyncio.run(_way(rules, capture))))


@command.command("status")
@listing
def status(how: How) -> None:
    """Show whose connections are captured on this host, and what was left behind."""
    show(how, lambda: {"items": asyncio.run(_entries())}, _SHOWN)


@command.command("clean")
@click.argument("name", required=False, shell_complete=local(lambda: _left()))
def clean(name: str | None) -> None:
    """Undo what agents left that run no more: of the workload NAME, or of all.

    This is for the rare case that both an agent and its guardian were killed. Nothing of a running agent is touched.
    """
    undone = asyncio.run(_clean(name))
    if name is not None and not undone:
        raise Missing(f"no rules of {name} are left", help="see: weft capture status")
    for one in undone:
        say(f"undone: {one}")
    if not undone:
        say("nothing is left behind")


def _text(rules: Rules, form: str) -> str:
    if form == IPTABLES:
        parts = [f"# {tool} --noflush\n{iptables_text(rules, version)}" for version, tool in FAMILIES]
        return _about(rules) + "\n".join(parts).rstrip()
    return f"{_about(rules)}# nft -f -\n{nft_text(rules, owned=form == OWNED)}".rstrip()


def _apart(capture: CaptureConfig, own: tuple[int, ...], *, no_dns: bool, run_as: str) -> str:
    """What is done without rights on the host. Raises ``UserError`` where that is not allowed."""
    check(capture, run_as, names=not no_dns)
    if reason := refusal():
        raise refused(reason)
    rest = Inside(control=0, way="", nft="nft", names=0, resolver=_RESOLVER, patience=0, own_ports=own)
    turns = Turns(outbound=_OUTBOUND, straight=_INBOUND, names=_RESOLVER)
    return f"{_NETWORK}# nft -f -\n{inside_text(inside_of(capture, rest), turns)}".rstrip()


def _about(rules: Rules) -> str:
    match rules.who:
        case ByCgroup():
            return f"# mkdir {place(rules.who)}: the application is started in there\n"
        case ByUser(uid=uid):
            return f"# the application is started as the user {uid}\n"
        case ByOthers(gid=gid):
            return f"# the application is everybody here who has not the group {gid}\n"


async def _way(rules: Rules, wanted: CaptureConfig) -> str:
    """What would hold the rules; the cgroup has to be there for the question."""
    made = isinstance(rules.who, ByCgroup) and not place(rules.who).exists()
    if isinstance(rules.who, ByCgroup):
        cgroup.make(rules.who)
    try:
        return await mechanism_for(rules, wanted.mechanism)
    finally:
        if made:
            cgroup.remove(rules.who)


async def _entries() -> list[dict[str, Any]]:
    found = [await _row(entry) for entry in ledger.entries().values()]
    lost = [{"workload": name, "state": "stray", "rules": NFT} for name in await strays()]
    blank = dict.fromkeys(("workload", "state", "by", "rules", "inbound", "outbound", "agent"), "-")
    return found + [blank | one for one in lost]


async def _row(entry: ledger.Entry) -> dict[str, Any]:
    rules = entry.rules
    return {
        "workload": rules.workload,
        "state": await _state(entry),
        "by": _by(rules),
        "rules": entry.mechanism,
        "inbound": ",".join(str(port) for port in rules.inbound_ports) or ("*" if rules.every_inbound else "-"),
        "outbound": ",".join(str(port) for port in rules.include_ports) or "*",
        "agent": entry.pid,
    }


async def _state(entry: ledger.Entry) -> str:
    if not entry.here:
        return "elsewhere" if entry.held else "gone"
    if entry.held:
        return "captured" if await present(entry.mechanism, entry.rules) else "starting"
    return "kept" if entry.rules.lasting else "ending" if entry.guarded else "left"


def _by(rules: Rules) -> str:
    match rules.who:
        case ByCgroup(path=path):
            return f"cgroup {path}"
        case ByUser(uid=uid):
            return f"user {uid}"
        case ByOthers(gid=gid):
            return f"not group {gid}"


def _left() -> list[str]:
    return sorted({entry.rules.workload for path, entry in ledger.entries().items() if ledger.ours(path)})


async def _clean(name: str | None) -> list[str]:
    undone = []
    for path, entry in ledger.entries().items():
        if not ledger.ours(path) or (name is not None and entry.rules.workload != name):
            continue
        if entry.held:
            _refuse(name, entry)
        elif entry.here or not _lives(path, entry):
            await undo(path, entry)
            undone.append(entry.rules.workload)
    lost = await strays() if name is None else ()
    return undone + [stray for stray in lost if await clean_stray(stray)]


def _refuse(name: str | None, entry: ledger.Entry) -> None:
    if name is not None:
        raise UserError(f"{name} is captured by the agent {entry.pid}, which runs", help=f"stop it: kill {entry.pid}")


def _lives(path: Path, entry: ledger.Entry) -> bool:
    """Whether somebody undoes it in another network namespace, where we cannot."""
    return entry.guarded and path.exists()


_HEAD = ("workload", "state", "by", "rules", "inbound", "outbound", "agent")
_SHOWN = Shown(
    name=lambda one: str(one["workload"]),
    head=_HEAD,
    cells=lambda one: [str(one[name]) for name in _HEAD],
    none="nothing is captured here",
)
