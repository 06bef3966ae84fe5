"""Envelope encryption: content under a key of its own (AES-256-GCM), that key under one of a ring of keys.

The envelope names the key that opens it, so that keys can be exchanged: the first of the ring seals, all of them open.
What is sealed is bound to a name: an envelope that was moved to another place does not open there.
"""

import base64
import binascii
import hashlib
import os

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from weft.kit.errors import UserError, WeftError
from weft.kit.value import Value

KEY_BYTES = 32
_NONCE = 12
_MARK = b'{"weft.dev/sealed":'


class Unsealable(WeftError):
    """The envelope does not open: it was changed or moved. ``key`` is set when no key of the ring is the right one."""

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.key = key


class _Envelope(Value):
    """``key`` names the key that the content's own key is ``wrapped`` with; each part begins with its nonce."""

    version: int
    key: str
    wrapped: bytes
    content: bytes


class _Outer(Value, rename={"envelope": "weft.dev/sealed"}):
    envelope: _Envelope


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Outer).decode


class SealingKey:
    """256 random bits; never shown, known by ``id``."""

    __slots__ = ("_cipher", "id")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
        self.id = hashlib.sha256(b"weft sealing key " + key).hexdigest()[:16]
        self._cipher = AESGCM(key)

    def wrap(self, key: bytes, about: bytes) -> bytes:
        """Another key, sealed."""
        return _encrypted(self._cipher, key, about)

    def unwrap(self, wrapped: bytes, about: bytes) -> bytes:
        """What ``wrap`` was given. Raises ``InvalidTag``."""
        return _decrypted(self._cipher, wrapped, about)


class Keyring:
    """Keys, the newest first."""

    def __init__(self, keys: tuple[SealingKey, ...]) -> None:
        assert keys
        self.keys = keys
        self.current = keys[0]
        self._keys = {key.id: key for key in keys}

    @property
    def ids(self) -> tuple[str, ...]:
        """The names of the keys, the newest first."""
        return tuple(self._keys)

    def seal(self, content: bytes, name: str) -> bytes:
        """An envelope: JSON on one line."""
        own = AESGCM.generate_key(bit_length=KEY_BYTES * 8)
        about = name.encode()
        envelope = _Envelope(
            version=1,
            key=self.current.id,
            wrapped=self.current.wrap(own, about),
            content=_encrypted(AESGCM(own), content, about),
        )
        return _encode(_Outer(envelope=envelope))

    def open(self, sealed: bytes, name: str) -> bytes:
        """What was sealed under the name. Raises ``Unsealable``."""
        envelope = _envelope(sealed)
        about = name.encode()
        try:
            return _decrypted(AESGCM(self._own_key(envelope, about)), envelope.content, about)
        except (InvalidTag, ValueError) as wrong:
            raise _changed(name) from wrong

    def rewrapped(self, sealed: bytes, name: str) -> bytes:
        """The envelope under the newest key; itself if it is that already. Raises ``Unsealable``."""
        envelope = _envelope(sealed)
        if envelope.key == self.current.id:
            return sealed
        about = name.encode()
        try:
            wrapped = self.current.wrap(self._own_key(envelope, about), about)
        except (InvalidTag, ValueError) as wrong:
            raise _changed(name) from wrong
        return _encode(_Outer(envelope=msgspec.structs.replace(envelope, key=self.current.id, wrapped=wrapped)))

    def _own_key(self, envelope: _Envelope, about: bytes) -> bytes:
        key = self._keys.get(envelope.key)
        if key is None:
            raise Unsealable(f"sealed with the key {envelope.key}, which is not here", envelope.key)
        return key.unwrap(envelope.wrapped, about)


def refusal(place: str, ring: Keyring, wrong: Exception) -> UserError:
    """What is said when something that is needed does not open."""
    needed = wrong.key if isinstance(wrong, Unsealable) else ""
    if not needed:
        return UserError(f"{place} does not open: {wrong}", help="restore it from a backup")
    return UserError(
        f"{place} is sealed with the encryption key {needed}, and the keys that were given are {', '.join(ring.ids)}",
        help="give that key; to change keys, put the new one first and the old one on the line below",
    )


def is_sealed(content: bytes) -> bool:
    """Whether it is an envelope: nothing else begins like one."""
    return content.startswith(_MARK)


def parsed_key(text: str) -> SealingKey:
    """A key of 44 characters of base64 or 64 of hexadecimal. Raises ``ValueError``, whose text holds nothing of it."""
    text = text.strip()
    try:
        found = bytes.fromhex(text) if len(text) == 2 * KEY_BYTES else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise ValueError("a key is 44 characters of base64, or 64 of hexadecimal") from None
    return SealingKey(found)


def new_key() -> str:
    """The text of a new key."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def _envelope(sealed: bytes) -> _Envelope:
    try:
        envelope = _decode(sealed).envelope
    except (msgspec.MsgspecError, UnicodeDecodeError) as wrong:
        raise Unsealable("not an envelope") from wrong
    if envelope.version != 1:
        raise Unsealable(f"an envelope of version {envelope.version}, which a newer weft wrote")
    return envelope


def _encrypted(cipher: AESGCM, content: bytes, about: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + cipher.encrypt(nonce, content, about)


def _decrypted(cipher: AESGCM, content: bytes, about: bytes) -> bytes:
    return cipher.decrypt(content[:_NONCE], content[_NONCE:], about)


def _changed(name: str) -> Unsealable:
    return Unsealable(f"{name} was changed or moved outside weft")
