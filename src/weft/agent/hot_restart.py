"""How one Envoy takes over from another without a lost connection: Envoy's hot restart.

The new process asks the old one, over Unix sockets, for its listening sockets, so that no connection waits in a queue
that is closed; the old one then drains and ends. Both must be of one kind (``--hot-restart-version``). The sockets lie
in the agent's private directory: Envoy's default is an abstract name, which every user of the host may talk to.
"""

import asyncio
import contextlib
from pathlib import Path

from weft.kit.envoy_binary import EnvoyBinary

SOCKET = "hot"
LONGEST = "hot_udp_parent_18446744073709551615"
"""The longest name that Envoy makes of it: ten times the base id, in 64 bits."""
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  where POSIX has it, not a temporary file
_ASKED = 5.0


class Succession:
    """The options of one Envoy after the other. ``overlap`` is how long the old one lives on, in seconds."""

    def __init__(self, directory: Path, sockets: Path, overlap: float) -> None:
        self.epoch = 0
        self._file = directory / "base-id"
        self._sockets = sockets
        self._overlap = overlap

    def first(self) -> tuple[str, ...]:
        """For one that takes over from nobody; what an earlier one left is removed."""
        self.forget()
        self.epoch = 0
        return (*("--use-dynamic-base-id", "--base-id-path", str(self._file)), *self._common())

    def next(self, epoch: int) -> tuple[str, ...]:
        """For one that takes over."""
        return ("--base-id", self._file.read_text().strip(), "--restart-epoch", str(epoch), *self._common())

    def forget(self) -> None:
        """Remove the shared memory and the sockets, which Envoy leaves behind."""
        with contextlib.suppress(OSError, ValueError):
            number = int(self._file.read_text())
            (_SHARED_MEMORY / f"envoy_shared_memory_{number * 10}").unlink()
        for left in self._sockets.glob(f"{SOCKET}_*"):
            left.unlink(missing_ok=True)
        self._file.unlink(missing_ok=True)

    def _common(self) -> tuple[str, ...]:
        path = ("--socket-path", str(self._sockets / SOCKET), "--socket-mode", "600")
        return (*path, "--parent-shutdown-time-s", str(round(self._overlap)))


async def kind_of(binary: EnvoyBinary) -> str:
    """What a binary can take over from; "" when it does not say. It says so on stderr."""
    try:
        process = await asyncio.create_subprocess_exec(
            *(str(binary.path), "--hot-restart-version"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except OSError:
        return ""
    try:
        async with asyncio.timeout(_ASKED):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return ""
    return said.decode(errors="replace").strip()
