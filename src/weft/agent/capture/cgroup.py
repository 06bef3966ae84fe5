"""The cgroup of a workload's application, below the one that its agent is in.

Nothing is limited by it: it only tells sockets apart. A socket belongs for ever to the cgroup that it was made in.
"""

import contextlib
import os
import platform
import re
from pathlib import Path

from weft.agent.capture.rules import ByCgroup, Who
from weft.kit.errors import UserError

_CGROUPS = Path("/proc/self/cgroup")
_MOUNTS = Path("/proc/self/mountinfo")
_NAMESPACE = Path("/proc/self/ns/cgroup")
_FIRST_NAMESPACE = "cgroup:[4026531835]"
_RIGHT_IN_NAMESPACES = (6, 11)
_OTHERWISE = "give the application a user of its own: --run-as USER"
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_.-]")


def cgroup_of(workload: str) -> ByCgroup:
    """The workload's cgroup, not made yet. Raises ``UserError`` with the reason where the kernel has none."""
    mount = _mounted()
    if mount is None or not own():
        raise UserError("there is no cgroup v2 hierarchy here", help=_OTHERWISE)
    if not mount.is_relative_to("/sys/fs/cgroup"):
        raise UserError(f"the cgroup v2 hierarchy is at {mount}, where rules do not look", help=_OTHERWISE)
    if not _levels_count():
        wrong = "before linux 6.11, rules count the levels of cgroups wrongly inside a container"
        raise UserError(wrong, help=_OTHERWISE)
    return ByCgroup(mount=str(mount), path=f"{_outermost(own())}/weft-{_NOT_PLAIN.sub('_', workload)}")


def make(who: ByCgroup) -> None:
    """Make it. Raises ``UserError`` where that is not allowed."""
    try:
        place(who).mkdir(exist_ok=True)
    except OSError as refused:
        reason = (refused.strerror or str(refused)).lower()
        raise UserError(f"the cgroup {place(who)} cannot be made ({reason})", help=_OTHERWISE) from refused


def enter(who: ByCgroup) -> None:
    """Move this process: what it opens from now on is known by its cgroup. Raises ``OSError``."""
    (place(who) / "cgroup.procs").write_text(str(os.getpid()))


def own() -> str:
    """The path of the cgroup that we are in."""
    return next((line[3:] for line in _CGROUPS.read_text().splitlines() if line.startswith("0::")), "")


def remove(who: Who) -> None:
    """Remove it, if there is one and nobody is in it."""
    if isinstance(who, ByCgroup):
        with contextlib.suppress(OSError):
            place(who).rmdir()


def place(who: ByCgroup) -> Path:
    """Its directory."""
    return Path(who.mount) / who.path.lstrip("/")


def _outermost(own: str) -> str:
    """Without the part that an agent made which started us (a hot upgrade, a shell of a captured application)."""
    parts = [part for part in own.split("/") if part]
    cut = next((at for at, part in enumerate(parts) if part.startswith("weft-")), len(parts))
    return "".join(f"/{part}" for part in parts[:cut])


def _mounted() -> Path | None:
    for line in _MOUNTS.read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.split()[0] == "cgroup2":
            return Path(before.split()[4])
    return None


def _levels_count() -> bool:
    """Whether the kernel counts levels from where we see the root (Linux 6.11; always outside of containers)."""
    release = tuple(int(part) for part in re.findall(r"\d+", platform.release())[:2])
    return release >= _RIGHT_IN_NAMESPACES or os.readlink(_NAMESPACE) == _FIRST_NAMESPACE
