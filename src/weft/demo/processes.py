"""The demo's processes: started with their output in files, ended by their pid, none left behind."""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

LAST_LINES = 12
_LOWEST_PORT, _HIGHEST_PORT = 12_000, 30_000


class Failed(Exception):
    """The demo could not prove something; ``str()`` is the reason, in words for a reader."""


class Process:
    """One child with its log file."""

    def __init__(self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, **environment}
            )

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    def ended(self) -> int | None:
        """The exit code, or ``None`` while it runs."""
        return self._child.poll()

    def ask_to_end(self) -> None:
        """SIGTERM, if it still runs."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL and wait."""
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()

    def wait(self, seconds: float) -> int:
        """Wait for the end, at most so long, then kill; the exit code."""
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._child.returncode

    def last_lines(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-LAST_LINES:])


class Interrupts:
    """Ctrl-C and SIGTERM as one ``KeyboardInterrupt``: never a second one, and none while a process is being noted."""

    def __init__(self) -> None:
        self._held = False
        self._came = False
        self._raised = False

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Both signals come here while the block runs, and so does its cleaning up."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._receive) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """A signal waits for the end of the block."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        self._raise_once()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._came = True
        if not self._held:
            self._raise_once()

    def _raise_once(self) -> None:
        if self._came and not self._raised:
            self._raised = True
            raise KeyboardInterrupt


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, outside the range from which the kernel gives ports to others."""
    for port in random.sample(range(_LOWEST_PORT, _HIGHEST_PORT), k=1000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Failed("no port of 127.0.0.1 is free")


def until(condition: Callable[[], bool], what: str, seconds: float, alive: Sequence[Process] = ()) -> None:
    """Wait for a condition. Raises ``Failed`` after ``seconds``, or as soon as a process it depends on has ended."""
    deadline = time.monotonic() + seconds
    while not condition():
        for process in alive:
            if process.ended() is not None:
                raise Failed(f"{process.name} ended with code {process.ended()}:\n{process.last_lines()}")
        if time.monotonic() > deadline:
            logs = "".join(f"\n  {process.name} said last:\n{process.last_lines()}" for process in alive)
            raise Failed(f"{what}: not after {seconds:g} s{logs}")
        time.sleep(0.05)
