"""How the control plane itself is: whether it serves, how late it is, and whether it can write."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from weft.kit.loop_lag import LoopLag
from weft.kit.value import Value
from weft.model.health import Check, Level
from weft.model.mesh import Mesh
from weft.xds.tally import CONVERGENCE_BOUNDS, Tally

GROUP = "control plane"
LATE_LOOP = 0.25
"""Seconds of delay of the event loop above which somebody should look."""
LATE_PROXIES = 5.0
"""Seconds until a proxy uses what it was offered; nine of ten should be faster."""
_LITTLE, _NOTHING = 512 * 1024 * 1024, 32 * 1024 * 1024


class Room(Value):
    """Bytes of the disk under the state directory."""

    free: int
    total: int


def room_of(directory: Path) -> Room:
    """How much room there is."""
    found = shutil.disk_usage(directory)
    return Room(free=found.free, total=found.total)


def served(mesh: Mesh | None) -> Check:
    """Whether there is a mesh to serve."""
    if mesh is None:
        return Check(
            name="control-plane-ready",
            group=GROUP,
            level=Level.FAIL,
            message="it is not ready: no complete configuration was read yet",
            help="look at its log",
        )
    about = f"it serves {len(mesh.services)} services, {len(mesh.workloads)} workloads at revision {mesh.revision}"
    return Check(name="control-plane-ready", group=GROUP, level=Level.OK, message=about)


def prompt(lag: LoopLag) -> Check:
    """Whether the event loop keeps up."""
    worst = lag.worst
    late = worst > LATE_LOOP
    return Check(
        name="control-plane-loop",
        group=GROUP,
        level=Level.WARN if late else Level.OK,
        message=f"its event loop was at most {worst * 1000:.0f} ms late within a minute",
        help="the machine is too busy, or something holds it up: give it more CPU, or report it" if late else "",
    )


def converging(tally: Tally) -> Check:
    """Whether proxies use soon what they are offered, by the middle and the slowest tenth since the start."""
    many = sum(tally.converged)
    if not many:
        about, late = "no proxy was offered anything yet", False
    else:
        slow = _below(tally, 0.9)
        about = (
            f"proxies use what they are offered within {_told(_below(tally, 0.5))}, nine of ten within {_told(slow)}"
        )
        late = slow > LATE_PROXIES
    return Check(
        name="control-plane-convergence",
        group=GROUP,
        level=Level.WARN if late else Level.OK,
        message=about,
        help="see `weft proxy status` for who is slow" if late else "",
    )


def spacious(room: Room) -> Check:
    """Whether the disk under the state directory has room."""
    about = f"the disk of the state directory has {room.free / 2**20:.0f} MiB left"
    level = Level.OK if room.free > _LITTLE else Level.WARN if room.free > _NOTHING else Level.FAIL
    help_ = "make room: without it no document can be written" if level is not Level.OK else ""
    return Check(name="store-room", group="store", level=level, message=about, help=help_)


def troubled(troubles: tuple[str, ...]) -> Iterator[Check]:
    """What parts say in sentences of their own."""
    for text in troubles:
        help_ = "see the control plane's log, and `weft audit shipping`"
        yield Check(name="control-plane-trouble", group=GROUP, level=Level.WARN, message=text, help=help_)


def _below(tally: Tally, share: float) -> float:
    """The bound under which a share of all is; the last one stands for what is beyond all."""
    wanted, seen = share * sum(tally.converged), 0
    for bound, count in zip(CONVERGENCE_BOUNDS, tally.converged, strict=False):
        seen += count
        if seen >= wanted:
            return bound
    return CONVERGENCE_BOUNDS[-1] * 2


def _told(seconds: float) -> str:
    if seconds > CONVERGENCE_BOUNDS[-1]:
        return f"more than {CONVERGENCE_BOUNDS[-1]:g} s"
    return f"{seconds * 1000:g} ms" if seconds < 1 else f"{seconds:g} s"
