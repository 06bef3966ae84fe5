"""The files that say whose certificates clients of the API may show: read again when they change.

A file that becomes unreadable or broken changes nothing: what was read last goes on to count, and the log says so.
"""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

import structlog

from weft.api.revocations import Revocations, revocations_in
from weft.kit.errors import UserError
from weft.kit.value import Value

_LOOK_SECONDS = 2.0
_log = structlog.get_logger()
_Stamp = tuple[tuple[int, int, int] | None, ...]


class ClientFiles(Value):
    """Certificates of authorities (``--client-ca-file``), and what they took back (``--client-crl-file``), as PEM."""

    ca: Path
    crl: Path | None = None


class ClientAuthorities:
    """What the files have. ``changed`` is called when they have something else."""

    def __init__(self, files: ClientFiles, changed: Callable[[], None]) -> None:
        """Raises ``UserError`` for files that cannot be used."""
        self._files = files
        self._changed = changed
        self._stamp = self._stamped()
        self._read()

    async def run(self) -> None:
        """Look at the files for ever."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Read the files again if they changed."""
        stamp = self._stamped()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._read()
        except UserError as wrong:
            _log.error("the authorities of clients stay as they were", reason=wrong.message)
            return
        _log.info("the authorities of clients were read again", file=str(self._files.ca))
        self._changed()

    def _read(self) -> None:
        pem, roots = _certificates(self._files.ca)
        revocations = _revocations(self._files.crl) if self._files.crl else None
        self.pem, self.roots, self.revocations = pem, roots, revocations

    def _stamped(self) -> _Stamp:
        return tuple(_stamp(path) for path in (self._files.ca, self._files.crl) if path)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _certificates(path: Path) -> tuple[str, tuple[bytes, ...]]:
    """The text, and its certificates as DER."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        text = path.read_text("ascii")
        context.load_verify_locations(cadata=text)
    except (OSError, ValueError, ssl.SSLError) as wrong:
        raise UserError(f"{path} holds no certificates", help="--client-ca-file names a PEM file of CAs") from wrong
    roots = context.get_ca_certs(binary_form=True)
    if not roots:
        raise UserError(f"{path} holds no certificate of a CA", help="--client-ca-file names a PEM file of CAs")
    return text, tuple(roots)


def _revocations(path: Path) -> Revocations:
    try:
        return revocations_in(path.read_bytes())
    except (OSError, ValueError) as wrong:
        raise UserError(f"{path} holds no revocation list", help="--client-crl-file names a PEM file") from wrong
