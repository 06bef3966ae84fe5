"""How an agent becomes a newer version of itself: the same process, another program, the same children.

What cannot be made anew is handed over: the children, the ports that are held, the application's stderr. All of it is
named in one private file; the open files keep their numbers. Signals wait until the new program listens to them, so
that none ends it before it knows how to end. The application and its sidecar run on and notice nothing.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

import msgspec

from weft.agent.capture.guardian import Guarded
from weft.agent.config import Probe
from weft.agent.ports import Plan
from weft.kit.errors import UserError
from weft.kit.files import write_whole
from weft.kit.value import Value

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)
CHECK = "--check"
_TRIED = 20.0


class Heritage(Value):
    """What one program leaves to the next. ``ports``, ``stderr`` and ``stdout`` are open files, ``sockets`` the
    directory of Unix sockets; ``application`` 0: there is none."""

    envoy: int
    epoch: int
    workers: int
    sockets: Path
    plan: Plan | None = None
    ports: tuple[int, ...] = ()
    application: int = 0
    stderr: int = -1
    stdout: int = -1
    well: bool = False
    probe: Probe | None = None
    capture: Guarded | None = None

    @property
    def files(self) -> tuple[int, ...]:
        """The open files."""
        pipe = self.capture.pipe if self.capture else -1
        return tuple(one for one in (*self.ports, self.stderr, self.stdout, pipe) if one >= 0)


def read_heritage(file: Path) -> Heritage:
    """What the program before left. Raises ``UserError``."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Heritage, dec_hook=lambda _, text: Path(text))
    except (OSError, msgspec.MsgspecError) as wrong:
        raise UserError(f"{file} is no agent's heritage ({wrong})", help="start agents with: weft run") from wrong


def write_heritage(heritage: Heritage, file: Path) -> None:
    """Write it down for its owner alone."""
    write_whole(file, msgspec.json.encode(heritage, enc_hook=str))


async def refusal(config: Path, heritage: Path) -> str:
    """Why the program that is installed now could not go on; "" if it could."""
    command = (sys.executable, "-m", "weft.agent", CHECK, str(config), str(heritage))
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(_TRIED):
            _, said = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return "it does not start"
    lines = said.decode(errors="replace").strip().splitlines()
    return "" if process.returncode == 0 else (lines[-1] if lines else "no reason is given")[:300]


def become(config: Path, heritage: Heritage, file: Path) -> NoReturn:
    """Go on as the program that is installed now."""
    for number in heritage.files:
        os.set_inheritable(number, True)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "weft.agent", str(config), str(file)])  # noqa: S606  the point of it
