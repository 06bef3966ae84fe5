"""A program that the agent started: it dies with the agent, is ended as a group, and leaves its last lines."""

import asyncio
import contextlib
import ctypes
import fcntl
import os
import select
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, Protocol

from weft.agent.whole_lines import WholeLines
from weft.kit.errors import UserError

_PR_SET_PDEATHSIG = 1
_LAST_LINES = 10
_LONGEST_LINE = 400
_TAIL = 8192
_KILL_TIMEOUT = 5.0
_LAST_WORDS = 0.05
_LAST_OUTPUT = 2.0
_AT_ONCE = 65_536
_ROOM = 262_144
_libc = ctypes.CDLL(None, use_errno=True)


Keep = Callable[[bytes], None]
"""Is told what an application said, in a thread."""


class Running(Protocol):
    """A process that is waited for."""

    pid: int

    @property
    def returncode(self) -> int | None:
        """The exit code once it has ended."""
        ...

    async def wait(self) -> int:
        """Wait for the end."""
        ...


class Child:
    """A running program and its group."""

    def __init__(
        self,
        process: Running,
        last_lines: Callable[[], list[str]],
        relay: "_Relay | None" = None,
        output: "_Relay | None" = None,
    ) -> None:
        self._process = process
        self.last_lines = last_lines
        self._relay = relay
        self._output = output

    def freeze(self) -> tuple[int, int]:
        """Copy its stderr and stdout no more, not even a line that is begun; the open files that they come from, -1 for
        none."""
        return (_frozen(self._relay), _frozen(self._output))

    @property
    def pid(self) -> int:
        """The program's process."""
        return self._process.pid

    async def wait(self) -> int:
        """The exit code, negative for a signal. What it wrote to stdout before has been copied, if it is."""
        code = await self._process.wait()
        if self._output is not None:
            await asyncio.to_thread(self._output.finish)
        return code

    async def stop(self, grace: float) -> int:
        """SIGTERM to the program, SIGKILL to its whole group after ``grace`` seconds or when it has ended."""
        if self._process.returncode is None:
            self._signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), grace)
        self.kill()
        return await asyncio.wait_for(self._process.wait(), _KILL_TIMEOUT)

    def kill(self) -> None:
        """SIGKILL to the whole group, what is left of it."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


class _Adopted:
    """A child whose parent is this very process, which was another program when it started it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None
        self._ended = asyncio.Event()
        self._handle = os.pidfd_open(pid)
        asyncio.get_running_loop().add_reader(self._handle, self._reap)

    @property
    def returncode(self) -> int | None:
        return self._code

    async def wait(self) -> int:
        await self._ended.wait()
        assert self._code is not None
        return self._code

    def _reap(self) -> None:
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0:
            return
        self._code = os.waitstatus_to_exitcode(status)
        asyncio.get_running_loop().remove_reader(self._handle)
        os.close(self._handle)
        self._ended.set()


def adopted(pid: int, last_lines: Callable[[], list[str]]) -> Child:
    """A child of this process that another program of its started. Raises ``OSError`` when there is none."""
    return Child(_Adopted(pid), last_lines)


async def start_application(
    command: tuple[str, ...],
    environment: Mapping[str, str],
    admit: Callable[[], None] | None = None,
    keep: Keep | None = None,
    *,
    output: bool = False,
) -> Child:
    """Start the application; its stderr passes through so that its last lines are known. Raises ``UserError``.

    ``admit`` is called in its process before it begins, ``keep`` with all that passes; with ``output`` its stdout
    passes through too, and is no terminal then.
    """
    pipes = [os.pipe() for _ in range(2 if output else 1)]
    ends = [writing for _, writing in pipes]
    with contextlib.suppress(OSError, AttributeError):  # more room than usual, so that it waits less for us
        fcntl.fcntl(ends[-1], fcntl.F_SETPIPE_SZ, _ROOM)
    try:
        stdout = ends[1] if output else None
        process = await _spawn(command, environment, signal.SIGTERM, stdout=stdout, stderr=ends[0], admit=admit)
    except BaseException:
        for reading, _ in pipes:
            os.close(reading)
        raise
    finally:
        for writing in ends:
            os.close(writing)
    return _relayed(process, pipes[0][0], pipes[1][0] if output else -1, keep)


def adopted_application(pid: int, stderr: int, stdout: int = -1, keep: Keep | None = None) -> Child:
    """The application that another program of this process started. Raises ``OSError`` when there is none."""
    for number in (stderr, stdout):
        if number >= 0:
            os.set_inheritable(number, False)
    return _relayed(_Adopted(pid), stderr, stdout, keep)


def _relayed(process: Running, stderr: int, stdout: int, keep: Keep | None) -> Child:
    relay = _Relay(stderr, sys.stderr.buffer, keep)
    output = _Relay(stdout, sys.stdout.buffer, keep) if stdout >= 0 else None
    return Child(process, relay.last_lines, relay, output)


def _frozen(relay: "_Relay | None") -> int:
    return relay.freeze() if relay is not None else -1


async def start_logging(command: tuple[str, ...], log: Path, environment: Mapping[str, str]) -> Child:
    """Start a program whose output goes to a file, emptied first. Raises ``UserError``."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        process = await _spawn(command, environment, signal.SIGKILL, stdout=handle, stderr=handle)
    finally:
        os.close(handle)
    return Child(process, lambda: tail(log))


async def _spawn(
    command: tuple[str, ...],
    environment: Mapping[str, str],
    last_will: signal.Signals,
    stdout: int | None,
    stderr: int,
    admit: Callable[[], None] | None = None,
) -> asyncio.subprocess.Process:
    parent = os.getpid()
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            process_group=0,
            preexec_fn=lambda: _die_with(parent, last_will, admit),
        )
    except (OSError, ValueError, subprocess.SubprocessError) as refused:
        reason = getattr(refused, "strerror", None) or str(refused)
        raise UserError(f"{command[0]} cannot be started: {reason.lower()}", help="check the command") from refused


def _die_with(parent: int, last_will: signal.Signals, admit: Callable[[], None] | None) -> None:
    """In the child: be sent a signal when the agent dies, however it dies; who changes its user loses that wish."""
    if admit is not None:
        admit()
    _libc.prctl(_PR_SET_PDEATHSIG, int(last_will))
    if os.getppid() != parent:
        os._exit(1)


def describe(code: int) -> str:
    """How a program ended, in words."""
    if code >= 0:
        return f"exited with {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


class _Relay:
    """Copies what the application says to our own stream of the kind, and remembers the last lines.

    In a thread: a terminal that does not keep up stops the copy, and so the application, but never the agent.
    """

    def __init__(self, source: int, target: BinaryIO, keep: Keep | None) -> None:
        self._target = target
        self._kept = WholeLines(keep or (lambda _: None))
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._partial = b""
        self._source = source
        self._copying = threading.Lock()
        self._thread = threading.Thread(target=self._copy, args=(source,), daemon=True, name="relay")
        self._thread.start()

    def last_lines(self) -> list[str]:
        """What the application said last; waits a moment for the rest of it."""
        self._thread.join(_LAST_WORDS)
        lines = [*self._lines, self._partial.decode(errors="replace")]
        return [line for line in lines if line.strip()][-_LAST_LINES:]

    def finish(self) -> None:
        """Wait until all is copied, though not for others that hold the stream open."""
        self._thread.join(_LAST_OUTPUT)

    def freeze(self) -> int:
        """Copy no more; what was read has been written."""
        self._copying.acquire()
        self._kept.end()
        return self._source

    def _copy(self, source: int) -> None:
        readable = select.poll()
        readable.register(source, select.POLLIN | select.POLLHUP)
        while readable.poll():
            with self._copying:
                if not self._piece(source):
                    os.close(source)
                    return

    def _piece(self, source: int) -> bool:
        """Copy what is there; whether there may be more."""
        piece = os.read(source, _AT_ONCE)
        if piece:
            self._kept.add(piece)
        else:
            self._kept.end()
        with contextlib.suppress(BrokenPipeError):  # who read us is gone; the application is not ended for that
            self._target.write(piece)
            self._target.flush()
        *whole, partial = (self._partial + piece).split(b"\n")
        self._partial = partial[-_LONGEST_LINE:]
        self._lines.extend(line[:_LONGEST_LINE].decode(errors="replace") for line in whole)
        return bool(piece)


def tail(log: Path) -> list[str]:
    """The last lines of a log."""
    try:
        with log.open("rb") as file:
            file.seek(max(log.stat().st_size - _TAIL, 0))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    return [line[:_LONGEST_LINE] for line in lines if line.strip()][-_LAST_LINES:]
