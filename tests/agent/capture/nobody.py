"""A user without rights on the host, but for reading the files of these tests."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.agent.capture.captured_mesh import Workload

_ID = "65534"
_USER = ("setpriv", "--reuid", _ID, "--regid", _ID, "--clear-groups")
_READS = "dac_read_search"
NOBODY = (*_USER, f"--inh-caps=+{_READS}", f"--ambient-caps=+{_READS}", f"--bounding-set=-all,+{_READS}")
"""What a program is started through."""


def is_allowed() -> bool:
    """Whether such a user may have namespaces here."""
    tried = (*_USER, "unshare", "--user", "--net", "--map-root-user", "ip", "link", "set", "lo", "up")
    return os.geteuid() == 0 and subprocess.run(tried, capture_output=True, check=False).returncode == 0


@contextmanager
def home() -> Iterator[Path]:
    """A directory of the user's own, where everybody can pass."""
    made = Path(tempfile.mkdtemp(prefix="weft-nobody-", dir="/tmp"))
    try:
        os.chown(made, int(_ID), int(_ID))
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def call(workload: Workload, *command: str, program: str = "sleep", timeout: float = 20) -> str:
    """Run a program in the network of the application, which is a ``program``; what it said."""
    into = ("nsenter", "--preserve-credentials", "--user", "--net", f"--target={workload.child(program)}")
    done = subprocess.run((*_USER, *into, *command), capture_output=True, text=True, timeout=timeout, check=False)
    return (done.stdout + done.stderr).strip()
