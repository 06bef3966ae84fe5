"""The agent's directory: private, locked, and with sockets whose paths are short enough for the kernel."""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from weft.agent.bootstrap import Sockets
from weft.agent.config import AgentConfig
from weft.agent.hot_restart import LONGEST
from weft.kit.errors import UserError
from weft.kit.files import locked, private_directory

_LONGEST_SOCKET = 107
_SHORT = ("/tmp", "/var/tmp")  # noqa: S108  directories for everybody, in which ours is private
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,250}[a-z0-9])?")


@contextlib.contextmanager
def workplace(config: AgentConfig) -> Iterator[Path]:
    """The workload's own directory, held alone.

    Two sidecars on one set of ports would share the traffic silently, so a second start is refused (``UserError``).
    """
    if not _NAME.fullmatch(config.name):
        raise UserError(f"{config.name!r} cannot name a workload", help="use lower-case letters, digits and dashes")
    directory = private_directory(config.state_dir / "workloads" / config.name)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locked(directory / "lock", wait=False))
        except BlockingIOError as taken:
            raise UserError(
                f"another agent already runs {config.name}", help="stop it first, or give this one another --name"
            ) from taken
        yield directory


@contextlib.contextmanager
def sockets(directory: Path, inherited: Path | None = None) -> Iterator[Sockets]:
    """Paths for the sockets, in a private temporary directory when the workload's own is too deep; ``inherited`` is
    the one that is in use."""
    if len(str(directory / LONGEST)) <= _LONGEST_SOCKET:
        yield Sockets(admin=directory / "admin.sock", sds=directory / "sds.sock", way=_way(directory))
        return
    short = inherited or _short()
    try:
        yield Sockets(admin=short / "admin.sock", sds=short / "sds.sock", way=_way(directory))
    finally:
        shutil.rmtree(short, ignore_errors=True)


def _short() -> Path:
    """A new private directory, where its path is short enough: not every ``TMPDIR`` is."""
    room = _LONGEST_SOCKET - len(LONGEST) - len("/weft-12345678/")
    places = (tempfile.gettempdir(), os.environ.get("XDG_RUNTIME_DIR", ""), *_SHORT)
    for place in places:
        if place and len(place) <= room and os.access(place, os.W_OK):
            return Path(tempfile.mkdtemp(prefix="weft-", dir=place))
    raise UserError("no directory is short enough for sockets", help="set TMPDIR to one of at most 50 letters")


def _way(directory: Path) -> Path:
    """Where Envoy reads how to reach the control plane; it may be started in another directory."""
    return directory.absolute() / "xds.json"
