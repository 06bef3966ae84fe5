"""Workloads of a host that has joined: they are let join by it, where the user named no other proof."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weft.agent.config import ProofKind
from weft.kit.files import private_directory, write_whole
from weft.kit.state_dir import StateDir

if TYPE_CHECKING:
    from weft.agent.host import Host


def host_for(state: StateDir, proof: dict[str, Any], *named: object) -> "Host | None":
    """The host that lets a workload join; ``named`` are other words of the user's about whom to ask and to trust."""
    from weft.agent.host import host_of

    if proof["proof"] is not ProofKind.TOKEN or proof["token_file"] or any(named):
        return None
    return host_of(state.root)


def token_of(state: StateDir, host: "Host", name: str, account: str) -> Path | None:
    """A file with a join token for a workload, unless it has joined before. Raises ``UserError``."""
    from weft.agent.host import has_joined, token_for
    from weft.kit.clock import SystemClock

    if has_joined(state.root, name):
        return None
    token = asyncio.run(token_for(host, account, SystemClock()))
    file = private_directory(state.root / "run") / f"{name}.token"
    write_whole(file, token.encode("ascii"))
    return file
