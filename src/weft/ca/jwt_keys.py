"""The keys that sign JWT-SVIDs, apart from those of certificates: ECDSA P-256, replaced every 30 days.

A new key is shown to everybody for a day before it signs, and an old one for a day after, so that nobody has to be
told. They lie sealed in one file of the authority's directory.
"""

import secrets
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from weft.ca.certificates import key_pem_of
from weft.ca.key_files import damaged
from weft.kit.clock import Clock
from weft.kit.files import private_directory, write_whole
from weft.kit.sealing import Keyring, Unsealable, refusal
from weft.kit.value import Value

FILE = "jwt-keys.json"
_NAME = "the keys of JWT-SVIDs"
_DAY = 86400.0
_LIFE = 30 * _DAY
_SHOWN_BEFORE = _DAY
_SHOWN_AFTER = _DAY
_HALF = 32


class StoredKey(Value):
    """A private key in PEM, and when it was made, in seconds since the epoch."""

    id: str
    created: float
    pem: str

    def __repr__(self) -> str:
        """Without the key."""
        return f"StoredKey({self.id})"


class JwtKeys:
    """The keys of one authority's directory, sealed with the newest of ``keyring``."""

    def __init__(self, directory: Path, keyring: Keyring, clock: Clock) -> None:
        self._file = private_directory(directory) / FILE
        self._keyring = keyring
        self._clock = clock
        self._keys = read_keys(self._file, keyring)
        self._opened: dict[str, ec.EllipticCurvePrivateKey] = {}
        self.look()

    def look(self) -> bool:
        """Make the next key and drop what is too old; whether anything changed."""
        now = self._clock.now()
        kept = due(self._keys, now)
        if not kept or now - kept[-1].created >= _LIFE - _SHOWN_BEFORE:
            kept = (*kept, _new_key(now))
        if kept == self._keys:
            return False
        self._keys = kept
        write_whole(self._file, self._keyring.seal(msgspec.json.encode(kept), _NAME))
        return True

    def public(self) -> tuple[tuple[str, ec.EllipticCurvePublicKey], ...]:
        """Every key that may have signed or will sign soon, by id."""
        return tuple((key.id, self._private(key).public_key()) for key in self._keys)

    def sign(self, content: bytes) -> tuple[str, bytes]:
        """The id of the key that signs now, and its signature in JWS's form (RFC 7518, 3.4)."""
        key = signing(self._keys, self._clock.now())
        r, s = decode_dss_signature(self._private(key).sign(content, ec.ECDSA(hashes.SHA256())))
        return key.id, r.to_bytes(_HALF) + s.to_bytes(_HALF)

    @property
    def key_id(self) -> str:
        """The id of the key that signs now."""
        return signing(self._keys, self._clock.now()).id

    def verifies(self, key_id: str, content: bytes, signature: bytes) -> bool:
        """Whether a key of ours made the signature."""
        public = dict(self.public()).get(key_id)
        if public is None or len(signature) != 2 * _HALF:
            return False
        encoded = encode_dss_signature(int.from_bytes(signature[:_HALF]), int.from_bytes(signature[_HALF:]))
        try:
            public.verify(encoded, content, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True

    def _private(self, key: StoredKey) -> ec.EllipticCurvePrivateKey:
        if key.id not in self._opened:
            found = serialization.load_pem_private_key(key.pem.encode("ascii"), None)
            assert isinstance(found, ec.EllipticCurvePrivateKey)
            self._opened[key.id] = found
        return self._opened[key.id]


def signing(keys: tuple[StoredKey, ...], now: float) -> StoredKey:
    """The newest key that everybody had time to learn of; the first of all signs at once."""
    known = [key for key in keys if now - key.created >= _SHOWN_BEFORE]
    return known[-1] if known else keys[0]


def due(keys: tuple[StoredKey, ...], now: float) -> tuple[StoredKey, ...]:
    """Those that still count: an old one until its successor has signed for a day."""
    kept = []
    for key, following in zip(keys, (*keys[1:], None), strict=False):
        if following is None or now < following.created + _SHOWN_BEFORE + _SHOWN_AFTER:
            kept.append(key)
    return tuple(kept)


def read_keys(file: Path, keyring: Keyring) -> tuple[StoredKey, ...]:
    """The keys of a file, which comes under the newest key of the ring. Raises ``UserError``."""
    try:
        sealed = file.read_bytes()
    except FileNotFoundError:
        return ()
    try:
        newest = keyring.rewrapped(sealed, _NAME)
        keys = msgspec.json.decode(keyring.open(newest, _NAME), type=tuple[StoredKey, ...])
    except Unsealable as wrong:
        raise refusal(str(file), keyring, wrong) from wrong
    except msgspec.MsgspecError as damage:
        raise damaged(file) from damage
    if newest != sealed:
        write_whole(file, newest)
    return keys


def _new_key(now: float) -> StoredKey:
    pem = key_pem_of(ec.generate_private_key(ec.SECP256R1())).decode("ascii")
    return StoredKey(id=secrets.token_urlsafe(12), created=now, pem=pem)
