"""What an earlier agent left: taken away before the workload is captured again, or by ``weft capture clean``."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from weft.agent.capture import cgroup, ledger
from weft.agent.capture.cgroup import place
from weft.agent.capture.host import run, tool
from weft.agent.capture.mechanism import NFT, OWNED, uninstall
from weft.agent.capture.nft import undo_text
from weft.agent.capture.rules import PREFIX, ByCgroup, Rules
from weft.kit.errors import UserError

_POLL = 0.05
_ATTEMPTS = 400


async def settle(rules: Rules) -> None:
    """Have nothing left of an earlier capture of the workload, but rules that stay until others take their place.

    Raises ``UserError`` when it is captured right now.
    """
    path = ledger.path_of(rules)
    entry = ledger.read(path)
    if entry is None:
        return
    if entry.held and entry.pid != os.getpid():
        raise UserError(
            f"{rules.workload} is captured already, by the agent {entry.pid}",
            help="stop it first, or give this one another --name",
        )
    if not rules.lasting:
        await clean(path, entry)


async def clean(path: Path, entry: ledger.Entry) -> None:
    """Undo what an entry says; its guardian is given time to do so itself."""
    for _ in range(_ATTEMPTS):
        if not entry.guarded:
            break
        await asyncio.sleep(_POLL)
    end_application(entry.rules)
    await uninstall(NFT if entry.mechanism == OWNED else entry.mechanism, entry.rules)
    cgroup.remove(entry.rules.who)
    ledger.forget(path)


async def strays() -> tuple[str, ...]:
    """Tables of ours in this network namespace that no entry knows."""
    if not (nft := tool("nft")):
        return ()
    said = await run((nft, "list", "tables", "inet"))
    known = {entry.rules.table for entry in ledger.entries().values() if entry.here}
    names = (line.split()[-1] for line in said.out.splitlines() if line.startswith("table inet "))
    return tuple(name for name in names if name.startswith(PREFIX) and name not in known)


async def clean_stray(table: str) -> bool:
    """Delete a table that nobody knows; not one that a living process owns."""
    return (await run((tool("nft"), "-f", "-"), undo_text(table))).code == 0


def end_application(rules: Rules) -> None:
    """Kill what is left in the application's cgroup: it has no sidecar."""
    if not isinstance(rules.who, ByCgroup):
        return
    with contextlib.suppress(OSError):
        for line in (place(rules.who) / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(line), signal.SIGKILL)
