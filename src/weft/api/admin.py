"""The administrator's token: a file with mode 0600 is the credential, its SHA-256 what requests are compared with."""

import hashlib
import hmac
import secrets
from pathlib import Path

from weft.kit.errors import UserError
from weft.kit.files import write_whole

_PREFIX = "weft_admin_"
_BYTES = 32


class AdminToken:
    """Knows the token by its hash only."""

    def __init__(self, digest: bytes) -> None:
        self._digest = digest

    def accepts(self, token: str) -> bool:
        """Whether this is the token; takes as long for any wrong one."""
        return hmac.compare_digest(hashlib.sha256(token.encode()).digest(), self._digest)


def load_admin_token(path: Path) -> AdminToken:
    """Read the token, or make one at the first start. Raises ``UserError`` for a file that others can read."""
    try:
        token = _read(path)
    except FileNotFoundError:
        token = _create(path)
    return AdminToken(hashlib.sha256(token.encode()).digest())


def _read(path: Path) -> str:
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise UserError(f"{path} can be read by others (mode {mode:04o})", help=f"chmod 600 {path}, or remove it")
    try:
        token = path.read_text("ascii").strip()
    except ValueError as damaged:
        raise UserError(f"{path} holds no token", help="remove it; the next start makes a new one") from damaged
    if not token:
        raise UserError(f"{path} is empty", help="remove it; the next start makes a new token")
    return token


def _create(path: Path) -> str:
    token = _PREFIX + secrets.token_urlsafe(_BYTES)
    write_whole(path, f"{token}\n".encode())
    return token
