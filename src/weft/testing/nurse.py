"""The test's end of a nursery: starts processes of one kind and knows how they ended."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from weft.kit.errors import UserError

_PATIENCE = 30.0
_PLACE = str(Path(__file__).resolve().parents[2])
_BEGIN = "import sys; sys.path.append(sys.argv[1]); from weft.testing.nursery import main; main(sys.argv[2:])"
"""Finds weft where this process did, also where the tests' configuration alone has it on the path."""


class Nurse:
    """A nursery process, which is started at once and imports in the background. Thread-safe."""

    def __init__(self, kind: str, root: Path) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-c", _BEGIN, _PLACE, kind, str(root)]
            self._process = subprocess.Popen(command, stdin=theirs.fileno(), process_group=0, env=_environment())
        self._kind = kind
        self._channel = ours
        self._changed = threading.Condition()
        self._started: dict[int, int] = {}
        self._ended: dict[int, int] = {}
        self._closed = False
        self._number = 0
        self._listener = threading.Thread(target=self._listen, name=f"nursery of {kind}s", daemon=True)
        self._listener.start()

    def start(self, file: Path, log: Path, environment: Mapping[str, str] | None = None) -> int:
        """Start a process with a file; its pid. Raises ``UserError`` when the nursery is gone."""
        with self._changed:
            self._number += 1
            number = self._number
            said = {"number": number, "file": str(file), "log": str(log), "environment": dict(environment or {})}
            with contextlib.suppress(BrokenPipeError):
                self._channel.sendall(json.dumps(said).encode() + b"\n")
            if not self._changed.wait_for(lambda: number in self._started or self._closed, _PATIENCE):
                raise UserError(f"no {self._kind} was started within {_PATIENCE:g} s")
            if number not in self._started:
                raise UserError(f"what starts {self._kind}s has ended", help="its reason is on standard error")
            return self._started[number]

    def ended(self, pid: int) -> int | None:
        """How a process ended, as ``Popen.returncode``; ``None`` while it runs."""
        with self._changed:
            return self._ended.get(pid)

    def signal(self, pid: int, number: signal.Signals) -> None:
        """Send a signal to a process, unless it has ended: its parent knows, so that nobody else gets it."""
        with self._changed, contextlib.suppress(BrokenPipeError):
            self._channel.sendall(json.dumps({"pid": pid, "signal": int(number)}).encode() + b"\n")

    def wait(self, pid: int, seconds: float) -> bool:
        """Wait for a process's end; whether it came."""
        with self._changed:
            return self._changed.wait_for(lambda: pid in self._ended or self._closed, seconds)

    def close(self) -> None:
        """End the nursery and with it whatever it started."""
        with contextlib.suppress(OSError):  # it has ended before
            self._channel.shutdown(socket.SHUT_WR)
        try:
            self._process.wait(2 * _PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join()
        self._channel.close()

    def __enter__(self) -> "Nurse":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _listen(self) -> None:
        with contextlib.suppress(ConnectionResetError), self._channel.makefile("rb") as lines:
            for line in lines:
                self._note(json.loads(line))
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _note(self, said: dict[str, Any]) -> None:
        with self._changed:
            if "pid" in said:
                self._started[said["number"]] = said["pid"]
            else:
                self._ended[said["ended"]] = said["code"]
            self._changed.notify_all()


def _environment() -> dict[str, str]:
    """Ours without what the user's own mesh is reached by."""
    return {name: value for name, value in os.environ.items() if not name.startswith("WEFT_")}


def until(condition: Any, what: str, seconds: float, every: float = 0.01) -> Any:
    """The first true value of a condition. Raises ``TimeoutError`` with ``what`` after ``seconds``."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what}, not after {seconds:g} s")
        time.sleep(every)
    return found
