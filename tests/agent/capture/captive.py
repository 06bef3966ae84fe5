"""A stub agent on a host, and commands run as if the captured application ran them."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.agent.capture.lan import Host
from weft.agent.capture.cgroup import cgroup_of, place

STUB = Path(__file__).with_name("stub.py")
ROOT = Path(__file__).parents[3]


class Captive:
    """One captured workload."""

    def __init__(self, host: Host, name: str, process: subprocess.Popen[str], user: str) -> None:
        self.host = host
        self.name = name
        self.process = process
        self._user = user

    def call(self, *command: str) -> str:
        """Run a command as the application; what it printed last, on either stream."""
        its = place(cgroup_of(self.name)) / "cgroup.procs"
        enter = ("sh", "-c", f'echo $$ > {its} && exec "$@"', "sh")
        become = ("setpriv", "--reuid", self._user, "--regid", "nogroup", "--clear-groups")
        done = subprocess.run(
            self.host.command(*(become if self._user else enter), *command),
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        return (done.stdout or done.stderr).strip().rpartition("\n")[2]

    def stop(self) -> None:
        """Ask it to end, and wait."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        assert self.process.wait(20) == 0, self.process.stderr.read() if self.process.stderr else ""

    def kill(self) -> None:
        """Let it crash."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)


@contextlib.contextmanager
def captive(
    host: Host, name: str, runtime: Path, *command: str, through: tuple[str, ...] = (), **asked: Any
) -> Iterator[Captive]:
    """Capture a command on a host; ended with the block in whatever way it has not ended before.

    ``through`` is a command that starts the agent.
    """
    directory = runtime / name
    directory.mkdir(parents=True, exist_ok=True)
    told = {"name": name, "command": command, "directory": str(directory), "capture": {}, "ports": ()} | asked
    process = subprocess.Popen(
        host.command(*through, sys.executable, str(STUB), json.dumps(told)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "WEFT_RUNTIME": str(runtime), "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src")))},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        assert process.stdout.readline() == "captured\n", process.stderr.read()
        yield Captive(host, name, process, asked.get("run_as", ""))
        if process.poll() is None:
            process.communicate("", timeout=20)
    finally:
        process.kill()
        process.wait(20)
        process.stdout.close()
        process.stderr.close()
        if process.stdin is not None:
            process.stdin.close()


def wait_until(true: Callable[[], bool], seconds: float = 15) -> None:
    """Wait for a condition."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it does not come true"
        time.sleep(0.05)
