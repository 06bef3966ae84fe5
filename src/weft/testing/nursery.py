"""``python -m weft.testing.nursery KIND ROOT``: a process that has imported what a mesh is made of, and forks it.

Importing the control plane takes longer than starting it, so it is done once for all meshes of a test run. KIND is
``plane`` or ``agent``: agents are forked from a process that never saw gRPC. Requests come as JSON lines on standard
input, a Unix socket; when its other end closes, however that came, every child is ended and ROOT is removed.
"""

import ctypes
import gc
import importlib
import json
import os
import select
import shutil
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Before anything imports gRPC: its fork handlers may deadlock, and its own log is no language for users.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

KINDS = {"plane": "weft.testing.plane", "agent": "weft.testing.sidecar"}
"""What is forked, by the module whose ``main`` is called with a file."""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_GRACE = 5.0
_LARGEST = 65_536


class Nursery:
    """The children and the other end."""

    def __init__(self, channel: socket.socket, run: Callable[[list[str]], int]) -> None:
        self._channel = channel
        self._run = run
        self._children: set[int] = set()
        self._partial = b""

    def serve(self) -> None:
        """Fork what is asked for until the other end closes; then end all of it."""
        waking, woken = socket.socketpair()
        woken.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        while True:
            ready, _, _ = select.select([self._channel, waking], [], [])
            if waking in ready:
                waking.recv(_LARGEST)
                self._bury()
            if self._channel in ready and not self._listen():
                break
        self.end()

    def end(self) -> None:
        """SIGTERM to every child, SIGKILL to those that stay; what they leave behind, too."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self._offspring():
                os.kill(pid, number)
            until = time.monotonic() + _GRACE
            while self._bury() and time.monotonic() < until:
                time.sleep(0.01)

    def _offspring(self) -> list[int]:
        """The children, adopted ones as well: none is waited for while this is read."""
        place = Path(f"/proc/self/task/{os.getpid()}/children")
        return [int(pid) for pid in place.read_text().split()] if place.exists() else list(self._children)

    def _listen(self) -> bool:
        piece = self._channel.recv(_LARGEST)
        *lines, self._partial = (self._partial + piece).split(b"\n")
        for line in lines:
            wanted = json.loads(line)
            if "signal" not in wanted:
                self._start(wanted)
            elif wanted["pid"] in self._children:
                os.kill(wanted["pid"], wanted["signal"])
        return bool(piece)

    def _start(self, wanted: dict[str, Any]) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become(wanted, parent)
        self._children.add(pid)
        self._say({"number": wanted["number"], "pid": pid})

    def _become(self, wanted: dict[str, Any], parent: int) -> None:
        """In the child: a process like one that was started by itself."""
        code = 1
        try:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
            if os.getppid() != parent:
                os._exit(1)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _redirect(wanted["log"])
            self._channel.close()
            os.environ.update(wanted["environment"])
            code = self._run([wanted["file"]])
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 1
        except BaseException:  # noqa: BLE001  the last place that can tell
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _bury(self) -> bool:
        """Wait for those that ended, and for orphans of theirs; whether any is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if not pid:
                return True
            if pid in self._children:
                self._children.discard(pid)
                self._say({"ended": pid, "code": os.waitstatus_to_exitcode(status)})

    def _say(self, what: dict[str, Any]) -> None:
        try:
            self._channel.sendall(json.dumps(what).encode() + b"\n")
        except OSError:
            return  # the other end has gone, which its end of file says, too


def _redirect(log: str) -> None:
    """Output to a file, input from nowhere; a file descriptor 0 that is free would become a socket."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, source in ((0, nothing), (1, output), (2, output)):
        os.dup2(source, number)
    for source in (output, nothing):
        os.close(source)


def main(arguments: list[str]) -> None:
    """Serve the socket that is standard input."""
    kind, root = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the test run's, which closes the socket
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)  # orphans of agents come here and are waited for
    channel = socket.socket(fileno=os.dup(0))
    try:
        module = importlib.import_module(KINDS[kind])
        module.load()
        gc.collect()
        gc.freeze()
        Nursery(channel, module.main).serve()
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
