"""Undoes capture when the agent has ended, however it ended.

A shell that reads a pipe whose other end only the agent holds: when the agent has gone, the pipe ends. The application
got SIGTERM at that moment and has a while to end; then what is left of it is killed, and only then do the rules go:
no program of the workload ever runs past its sidecar. Where the kernel can, the rules belong to an ``nft`` that reads
from the shell, so that they go even when both are killed.
"""

import asyncio
import contextlib
import os
import shlex
from pathlib import Path

from weft.agent.capture.cgroup import place
from weft.agent.capture.host import started
from weft.agent.capture.mechanism import OWNED, removing
from weft.agent.capture.rules import ByCgroup, ByOthers, ByUser, Rules
from weft.agent.child import Child, adopted
from weft.kit.errors import UserError
from weft.kit.tasks import tasks
from weft.kit.value import Value

_TICKS = 10
_LAST = 50
_GONE_TIMEOUT = 10.0
_DEAF = "trap '' HUP INT TERM\n"
_PATH = "PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin\n"


def script(rules: Rules, way: str, file: Path, ledger: Path, patience: float) -> str:
    """The guardian of one workload; ``patience`` are the seconds that a crashed agent's application has to end."""
    busy, end = _workload(rules)
    emit = f"printf 'include \"%s\"\\n' {shlex.quote(str(file))}\n" if way == OWNED else ""
    undo = "".join(_fed(command, text) for command, text in removing(way, rules))
    return (
        f"{_DEAF}{_PATH}{emit}"
        f'word=; read -r word; left={round(patience * _TICKS)}; [ "$word" = done ] && left=0\n'
        f"busy() {{ {busy}; }}\n"
        'while [ "$left" -gt 0 ] && busy; do sleep 0.1; left=$((left - 1)); done\n'
        f"left={_LAST}\n"
        f'while [ "$left" -gt 0 ] && busy; do {end}; sleep 0.1; left=$((left - 1)); done\n'
        f"{undo}{_cleared(rules)}rm -f {shlex.quote(str(ledger))} {shlex.quote(str(file))}\n"
    )


class Guarded(Value):
    """A guardian as one version of the agent leaves it to the next: processes (0: none), an open file, and the way."""

    guard: int
    holder: int
    pipe: int
    way: str


class Guardian:
    """The processes that guard one workload; ``wait`` returns when they have ended."""

    def __init__(self, guard: Child, holder: Child | None, pipe: int) -> None:
        self._guard = guard
        self._holder = holder
        self._pipe: int | None = pipe

    def left(self, way: str) -> Guarded:
        """What the next version of the agent goes on with."""
        assert self._pipe is not None
        return Guarded(guard=self.pid, holder=self._holder.pid if self._holder else 0, pipe=self._pipe, way=way)

    @property
    def pid(self) -> int:
        """The shell's."""
        return self._guard.pid

    @property
    def started(self) -> int:
        """When it started, in the kernel's ticks."""
        return started(self._guard.pid)

    async def wait(self) -> None:
        """Until one of them has ended; the other follows."""
        async with tasks() as group:
            waits = [group.start(one.wait(), "guardian") for one in (self._guard, self._holder) if one is not None]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)

    async def finish(self) -> None:
        """Have everything undone, and wait until it is. Raises ``UserError`` when that takes too long."""
        if self._pipe is not None:
            with contextlib.suppress(OSError):
                os.write(self._pipe, b"done\n")
            self.release()
        try:
            async with asyncio.timeout(_GONE_TIMEOUT):
                await self._guard.wait()
                if self._holder is not None:
                    await self._holder.wait()
        except TimeoutError as slow:
            raise UserError("the capture's guardian does not end", help="see: weft capture status") from slow

    async def kill(self) -> None:
        """End what is left of it, so that it undoes nothing."""
        for one in (self._guard, self._holder):
            if one is not None:
                one.kill()
                await one.wait()
        self.release()

    def release(self) -> None:
        """Let go of the pipe; a guardian that still reads it acts as if we had crashed."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None


async def start_guardian(text: str, way: str, log: Path) -> Guardian:
    """Start it; it outlives us. Raises ``UserError``."""
    reading, writing = os.pipe()
    said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    fed: tuple[int, int] | None = os.pipe() if way == OWNED else None
    try:
        holder = await _shell(f"{_DEAF}{_PATH}exec nft -i", fed[0], said, said) if fed else None
        guard = await _shell(text, reading, fed[1] if fed else said, said)
    except OSError as refused:
        os.close(writing)
        raise UserError("the capture's guardian cannot be started", help="check /bin/sh") from refused
    finally:
        for handle in (reading, said, *(fed or ())):
            os.close(handle)
    return Guardian(guard, holder, writing)


def adopted_guardian(guarded: Guarded) -> Guardian:
    """The one that an earlier version of the agent, in this very process, started. Raises ``UserError``."""
    os.set_inheritable(guarded.pipe, False)
    try:
        holder = adopted(guarded.holder, list) if guarded.holder else None
        return Guardian(adopted(guarded.guard, list), holder, guarded.pipe)
    except OSError as gone:
        raise UserError("the capture's guardian has ended", help="see: weft capture status") from gone


async def _shell(text: str, stdin: int, stdout: int, stderr: int) -> Child:
    process = await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", text, "weft-guardian"),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
        cwd="/",
        start_new_session=True,
    )
    return Child(process, list)


def _workload(rules: Rules) -> tuple[str, str]:
    """Shell words that ask whether something of the workload runs, and that kill it."""
    match rules.who:
        case ByCgroup():
            found = shlex.quote(str(place(rules.who)))
            one_by_one = f'while read -r pid; do kill -9 "$pid"; done < {found}/cgroup.procs'
            return f"read -r _ < {found}/cgroup.procs", f"echo 1 > {found}/cgroup.kill || {one_by_one}"
        case ByUser(uid=uid):
            mine = f"find /proc -maxdepth 1 -uid {uid} -name '[0-9]*'"
            return f'[ -n "$({mine} -print -quit)" ]', f"kill -9 $({mine} -printf '%f ')"
        case ByOthers():
            return "false", "true"  # whoever started them ends them


def _cleared(rules: Rules) -> str:
    if not isinstance(rules.who, ByCgroup):
        return ""
    its = shlex.quote(str(place(rules.who)))
    return (
        f"left={_LAST}\n"
        f'while [ "$left" -gt 0 ] && [ -d {its} ] && ! rmdir {its}; do sleep 0.1; left=$((left - 1)); done\n'
    )


def _fed(command: tuple[str, ...], text: str) -> str:
    return f"printf '%s' {shlex.quote(text)} | {shlex.join(command)}\n"
