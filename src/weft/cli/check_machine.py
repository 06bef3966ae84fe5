"""``weft check --pre``: can a control plane and sidecars run on this machine."""

import os
import platform
import resource
import shutil
import socket
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

from weft.agent.capture.host import tool
from weft.agent.capture.namespaces import refusal
from weft.kit.envoy_binary import find_envoy
from weft.kit.errors import UserError
from weft.kit.state_dir import default_state_dir
from weft.model.health import Check, Level

_GROUP = "this machine"
_PORTS = ((7070, "--api-port"), (7071, "--xds-port"), (7072, "--agent-port"))
_FILES = 4096
_ROOM = 512 * 1024 * 1024
_SQLITE = (3, 35, 0)


def checks() -> Iterator[Check]:
    """Everything that can be looked at without starting anything that stays."""
    yield _python()
    yield _envoy()
    yield _state()
    yield _room()
    yield _sqlite()
    yield _files()
    yield from (_port(port, option) for port, option in _PORTS)
    yield _capture()


def _check(name: str, message: str, level: Level = Level.OK, help_: str = "") -> Check:
    return Check(name=name, group=_GROUP, level=level, message=message, help=help_)


def _python() -> Check:
    return _check("pre-python", f"python {platform.python_version()} on {platform.machine()} {sys.platform}")


def _envoy() -> Check:
    """Whether there is an Envoy that weft can run."""
    try:
        found = find_envoy()
    except UserError as absent:
        return _check("pre-envoy", absent.message, Level.FAIL, absent.help or "")
    return _check("pre-envoy", f"envoy {found.version} is installed")


def _state() -> Check:
    """Whether the state directory can be written, or made."""
    directory = default_state_dir().root
    place = _existing(directory)
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        help_ = "use another directory with --state or WEFT_STATE"
        return _check("pre-state", f"the state directory {directory} cannot be written", Level.FAIL, help_)
    return _check("pre-state", f"the state directory {directory} can be used")


def _room() -> Check:
    free = shutil.disk_usage(_existing(default_state_dir().root)).free
    about = f"its disk has {free / 2**20:.0f} MiB left"
    if free < _ROOM:
        return _check("pre-room", about, Level.WARN, "metrics and traces of a month take up to 512 MiB")
    return _check("pre-room", about)


def _sqlite() -> Check:
    about = f"sqlite is {sqlite3.sqlite_version}"
    if sqlite3.sqlite_version_info < _SQLITE:
        return _check("pre-sqlite", about, Level.FAIL, f"weft needs {'.'.join(map(str, _SQLITE))} or newer")
    return _check("pre-sqlite", about)


def _files() -> Check:
    """Open files: each proxy is one or two connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    about = f"a process may open {'any number of' if soft == resource.RLIM_INFINITY else soft} files"
    if soft != resource.RLIM_INFINITY and soft < _FILES:
        most = "" if hard == resource.RLIM_INFINITY else f", at most {hard} here"
        return _check("pre-files", about, Level.WARN, f"more than {soft // 3} sidecars need more: ulimit -n{most}")
    return _check("pre-files", about)


def _port(port: int, option: str) -> Check:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            help_ = f"a control plane runs already, or choose another port with {option}"
            return _check("pre-ports", f"port {port} is in use", Level.WARN, help_)
    return _check("pre-ports", f"port {port} is free")


def _capture() -> Check:
    """What transparent capture needs; nothing else does."""
    entitled = os.geteuid() == 0
    able = bool(tool("nft")) and (entitled or not refusal())
    about = "without nft, and root or user namespaces: no capture of all traffic"
    if able:
        by = "root" if entitled else "user namespaces"
        about = f"transparent capture needs nft, and root or user namespaces; nft and {by} are here"
    return _check("pre-capture", about, help_="" if able else "applications are given their upstreams by variables")


def _existing(directory: Path) -> Path:
    """The directory, or the nearest one above that is there."""
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    return directory
