"""The root's key as it lies on the disk: sealed, in a PEM block of its own before the certificate that is no secret."""

import base64
import re
from pathlib import Path

from weft.kit.errors import UserError
from weft.kit.sealing import Keyring, Unsealable, refusal

_NAME = "the key of the certificate authority"
_PLAIN = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----\n?", re.DOTALL)
_SEALED = re.compile(rb"-----BEGIN WEFT SEALED KEY-----\n(.*?)\n-----END WEFT SEALED KEY-----\n?", re.DOTALL)


def renewed(content: bytes, keyring: Keyring | None) -> bytes:
    """The file with its key under the newest key of the ring; as it is where nothing needs to be done, or can be."""
    if keyring is None:
        return content
    plain = _PLAIN.search(content)
    if plain is not None:
        return _with(content, plain, keyring.seal(plain[0], _NAME))
    sealed = _SEALED.search(content)
    if sealed is None:
        return content
    try:
        envelope = base64.b64decode(sealed[1])
        newest = keyring.rewrapped(envelope, _NAME)
    except (Unsealable, ValueError):
        return content
    return content if newest == envelope else _with(content, sealed, newest)


def opened(content: bytes, keyring: Keyring | None, file: Path) -> bytes:
    """The file with its key in plaintext. Raises ``UserError``."""
    sealed = _SEALED.search(content)
    if sealed is None:
        return content
    if keyring is None:
        raise UserError(f"the key in {file} is sealed", help="give the encryption key that it was sealed with")
    try:
        key = keyring.open(base64.b64decode(sealed[1]), _NAME)
    except (Unsealable, ValueError) as wrong:
        raise refusal(str(file), keyring, wrong) from wrong
    return content[: sealed.start()] + key + content[sealed.end() :]


def _with(content: bytes, found: "re.Match[bytes]", envelope: bytes) -> bytes:
    block = b"-----BEGIN WEFT SEALED KEY-----\n%s\n-----END WEFT SEALED KEY-----\n" % base64.b64encode(envelope)
    return content[: found.start()] + block + content[found.end() :]
