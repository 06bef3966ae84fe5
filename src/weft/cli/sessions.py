"""Logins of this user: what an OpenID provider gave, by control plane, in a file that only they can read."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from weft.kit.errors import UserError
from weft.kit.files import locked, private_directory, write_whole
from weft.kit.value import Value

_EARLY = 30.0
"""Seconds before its end at which a token is replaced, so that it holds when it arrives."""


class Session(Value):
    """A login at one control plane. ``expires`` is when ``id_token`` ends, in seconds since the epoch."""

    address: str
    issuer: str
    client_id: str
    id_token: str
    expires: float
    refresh_token: str = ""
    client_secret: str = ""
    ca_file: str = ""


class Sessions:
    """The file of logins."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def of(self, address: str) -> Session | None:
        """The login at a control plane, ``None`` if there is none."""
        return next((one for one in self._all() if one.address == address), None)

    def keep(self, session: Session) -> None:
        """Write a login down, in place of the one that was there."""
        with self._held():
            self._write((*self._others(session.address), session))

    def forget(self, address: str) -> None:
        """Remove the login at a control plane."""
        with self._held():
            self._write(self._others(address))

    def token(self, address: str, refreshed: Callable[[Session], Session]) -> str | None:
        """The token for a control plane, a new one where the old one ends; ``None`` without a login.

        One process at a time asks for a new one: providers take a refresh token once.
        """
        session = self.of(address)
        if session is None or not _ends(session):
            return session.id_token if session else None
        with self._held():
            session = self.of(address) or session
            if _ends(session):
                session = refreshed(session)
                self._write((*self._others(address), session))
        return session.id_token

    def _others(self, address: str) -> tuple[Session, ...]:
        return tuple(one for one in self._all() if one.address != address)

    def _all(self) -> tuple[Session, ...]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=tuple[Session, ...])
        except FileNotFoundError:
            return ()
        except msgspec.MsgspecError:
            raise UserError(f"{self._path} is damaged", help="remove it and log in again") from None

    def _write(self, sessions: tuple[Session, ...]) -> None:
        write_whole(self._path, msgspec.json.encode(sessions), 0o600)

    @contextmanager
    def _held(self) -> Iterator[None]:
        private_directory(self._path.parent)
        with locked(self._path.with_suffix(".lock")):
            yield


def _ends(session: Session) -> bool:
    return session.expires - _EARLY <= time.time()
