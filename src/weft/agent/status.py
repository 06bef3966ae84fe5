"""What an agent writes down of itself, in its private directory, for commands on the same host.

It is for reading only: commands find the process here, and send it signals.
"""

import contextlib
import os
from importlib.metadata import version
from pathlib import Path

import msgspec

from weft.kit.clock import Clock
from weft.kit.files import write_whole
from weft.kit.value import Value

FILE = "agent.json"


class Said(Value):
    """How an agent and its proxy are. Times are seconds since the epoch; ``stale`` is since when it uses its last good
    configuration, 0 when it follows the control plane, and ``without`` the keys that it does not have meanwhile;
    ``epoch`` counts the Envoys that took over."""

    pid: int
    name: str = ""
    version: str = ""
    started: float = 0.0
    state: str = "starting"
    envoy: str = ""
    envoy_pid: int = 0
    epoch: int = 0
    stale: float = 0.0
    without: tuple[str, ...] = ()
    problem: str = ""
    renewed: float = 0.0


class Status:
    """Writes changes."""

    def __init__(self, file: Path, name: str, clock: Clock) -> None:
        self._file = file
        self._clock = clock
        self.said = Said(pid=os.getpid(), name=name, version=version("weft"), started=clock.now())

    def say(self, **changes: object) -> None:
        """Write down what is different now; a full disk is no reason to end."""
        self.said = msgspec.structs.replace(self.said, renewed=self._clock.now(), **changes)
        with contextlib.suppress(OSError):
            write_whole(self._file, msgspec.json.encode(self.said))

    def forget(self) -> None:
        """Remove it: there is no agent any more."""
        self._file.unlink(missing_ok=True)


def read_said(file: Path) -> Said | None:
    """What an agent wrote down; ``None`` when there is none, or it has ended."""
    try:
        said = msgspec.json.decode(file.read_bytes(), type=Said)
        os.kill(said.pid, 0)
    except (OSError, msgspec.MsgspecError):
        return None
    return said
