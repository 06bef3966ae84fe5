"""What was installed on this host, by whom: a file for each workload, written before the rules and removed after them.

It is in ``/run``, which like the rules does not outlive a start of the host; ``WEFT_RUNTIME`` names another place.
Services of systemd have a place each, as users of their own: those are seen, and left to them.
"""

import os
import stat
from pathlib import Path

import msgspec

from weft.agent.capture.host import network_namespace, started
from weft.agent.capture.rules import Rules
from weft.kit.errors import UserError
from weft.kit.files import write_whole
from weft.kit.value import Value

_VARIABLE = "WEFT_RUNTIME"
_SERVICES = Path("/run/weft-services")


class Entry(Value):
    """One workload's rules. ``mechanism`` is ``nft-owned``, ``nft`` or ``iptables``; ``pid`` the agent's."""

    rules: Rules
    mechanism: str
    pid: int
    started: int
    guardian: int = 0
    guardian_started: int = 0
    namespace: str = ""
    at: float = 0.0

    @property
    def held(self) -> bool:
        """Whether its agent still runs."""
        return self.started != 0 and started(self.pid) == self.started

    @property
    def guarded(self) -> bool:
        """Whether somebody will take the rules away when the agent has ended."""
        return self.guardian_started != 0 and started(self.guardian) == self.guardian_started

    @property
    def here(self) -> bool:
        """Whether the rules are in the network namespace that we are in."""
        return self.namespace == network_namespace()


def directory() -> Path:
    """Where the ledger is."""
    return Path(os.environ.get(_VARIABLE) or "/run/weft") / "capture"


def path_of(rules: Rules) -> Path:
    """The file of a workload: in each network namespace there may be one of its name."""
    inode = "".join(letter for letter in network_namespace() if letter.isdecimal())
    return directory() / f"{rules.table}@{inode}.json"


def write(entry: Entry) -> Path:
    """Note that rules are about to be there. Raises ``UserError``."""
    path = path_of(entry.rules)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_ours(path.parent)
        write_whole(path, msgspec.json.encode(entry))
    except OSError as refused:
        reason = (refused.strerror or str(refused)).lower()
        help_ = f"name another directory in {_VARIABLE}"
        raise UserError(f"{path} cannot be written ({reason})", help=help_) from refused
    return path


def read(path: Path) -> Entry | None:
    """An entry, ``None`` where there is none that can be understood."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Entry)
    except (OSError, msgspec.MsgspecError):
        return None


def forget(path: Path) -> None:
    """Note that rules are gone."""
    path.unlink(missing_ok=True)


def entries() -> dict[Path, Entry]:
    """All that is noted, by services too, as far as we may see."""
    own = sorted(directory().glob("*.json")) if directory().is_dir() else []
    theirs = [path for path in sorted(_SERVICES.glob("*/capture/*.json")) if path not in own]
    found = {path: read(path) for path in own + theirs}
    return {path: entry for path, entry in found.items() if entry is not None}


def ours(path: Path) -> bool:
    """Whether we wrote it: others' words are not to be followed, which might name any rules."""
    return path.parent == directory()


def _check_ours(path: Path) -> None:
    """What is read from there is undone as it says, so nobody else may write there."""
    found = path.stat()
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UserError(f"{path} can be written by others", help=f"make it yours alone: chmod 700 {path}")
