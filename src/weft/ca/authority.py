"""The embedded certificate authority: one ECDSA P-256 root in a directory, and the leaves that it signs.

Key and certificate of the root are one file, so that no crash can part them; ``root.pem`` is the public half for
everybody else. The identity of a leaf is an argument, never something that the request says.
"""

import hashlib
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from weft.ca.certificates import key_pem_of, leaf_certificate, pem_of, root_certificate
from weft.ca.csr import key_of
from weft.ca.names import control_plane
from weft.ca.sealed_key import opened, renewed
from weft.kit.clock import Clock
from weft.kit.errors import UserError
from weft.kit.files import locked, private_directory, write_whole
from weft.kit.sealing import Keyring
from weft.kit.value import Value
from weft.model.identity import Identity

DEFAULT_LIFETIME = 24 * 3600.0
SHORTEST_LIFETIME = 60.0
LONGEST_LIFETIME = 30 * 24 * 3600.0
_SECRET_FILE = "root-key.pem"
_PUBLIC_FILE = "root.pem"


class Leaf(Value):
    """A signed certificate in PEM and when it ends, in seconds since the epoch."""

    chain: str
    expires: float


class Listener(Value):
    """What a TLS listener of the control plane needs: private key and chain in PEM, and when the chain ends."""

    key: bytes
    chain: bytes
    expires: float


class Authority:
    """Signs for one trust domain; see ``open_authority``."""

    def __init__(
        self, key: ec.EllipticCurvePrivateKey, root: x509.Certificate, trust_domain: str, clock: Clock, lifetime: float
    ) -> None:
        self.trust_domain = trust_domain
        self.lifetime = lifetime
        self.bundle = pem_of(root)
        self._key = key
        self._root = root
        self._clock = clock

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the root certificate (DER) in hexadecimal, for ``--ca-fingerprint``."""
        return hashlib.sha256(self._root.public_bytes(serialization.Encoding.DER)).hexdigest()

    def sign(self, request: bytes, identity: Identity) -> Leaf:
        """A leaf for the key of a request (PEM) and the identity of its caller. Raises ``BadRequest``."""
        key = key_of(request)
        now = self._clock.now()
        expires = self._end(now)
        return Leaf(chain=pem_of(leaf_certificate(self._root, self._key, key, identity, now, expires)), expires=expires)

    def listener(self, hosts: tuple[str, ...]) -> Listener:
        """A new key and certificate for the control plane itself, good for ``localhost`` and for ``hosts``."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = self._clock.now()
        expires = self._end(now)
        names = tuple(dict.fromkeys(("localhost", "127.0.0.1", "::1", *hosts)))
        identity = control_plane(self.trust_domain)
        leaf = leaf_certificate(self._root, self._key, key.public_key(), identity, now, expires, names)
        return Listener(key=key_pem_of(key), chain=pem_of(leaf).encode("ascii"), expires=expires)

    def _end(self, now: float) -> float:
        """The end of a leaf that begins now: never after the root's."""
        return float(int(min(now + self.lifetime, self._root.not_valid_after_utc.timestamp())))


def open_authority(
    directory: Path,
    *,
    trust_domain: str,
    clock: Clock,
    lifetime: float = DEFAULT_LIFETIME,
    keyring: Keyring | None = None,
) -> Authority:
    """The authority of a directory, created at the first start; two processes that start at once share one.

    ``lifetime`` is that of leaves, in seconds. With a ``keyring`` the root's key is sealed with its newest, one that
    lies there in plaintext or under another key too. Raises ``UserError`` when the files are of another trust domain,
    unreadable, sealed with an unknown key, or open to others.
    """
    if not SHORTEST_LIFETIME <= lifetime <= LONGEST_LIFETIME:
        raise UserError(
            f"certificates cannot live for {lifetime:g} seconds",
            help=f"choose between {SHORTEST_LIFETIME:g} seconds and {LONGEST_LIFETIME / 86400:g} days",
        )
    private_directory(directory)
    with locked(directory / "lock"):
        secret = directory / _SECRET_FILE
        if not secret.exists():
            _create(secret, trust_domain, clock.now(), keyring)
        key, root = _load(secret, keyring)
        _publish(directory / _PUBLIC_FILE, pem_of(root).encode("ascii"))
    _check(root, key, trust_domain, clock.now(), secret)
    return Authority(key, root, trust_domain, clock, lifetime)


def renew_authority(directory: Path, keyring: Keyring) -> None:
    """Bring the key of an authority, if there is one, under the newest key. Raises ``UserError``."""
    private_directory(directory)
    with locked(directory / "lock"):
        secret = directory / _SECRET_FILE
        if secret.exists():
            _load(secret, keyring)


def _create(secret: Path, trust_domain: str, now: float, keyring: Keyring | None) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    root = root_certificate(key, trust_domain, now)
    write_whole(secret, renewed(key_pem_of(key) + pem_of(root).encode("ascii"), keyring))


def _load(secret: Path, keyring: Keyring | None) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    if (mode := os.stat(secret).st_mode & 0o077) != 0:
        raise UserError(f"{secret} can be read by others (mode {0o600 | mode:o})", help=f"chmod 600 {secret}")
    stored = secret.read_bytes()
    newest = renewed(stored, keyring)
    content = opened(newest, keyring, secret)
    if newest != stored:
        write_whole(secret, newest)
    try:
        key = serialization.load_pem_private_key(content, None)
        root = x509.load_pem_x509_certificate(content[content.index(b"-----BEGIN CERTIFICATE") :])
    except (ValueError, TypeError) as damaged:
        raise _damaged(secret) from damaged
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise _damaged(secret)
    return key, root


def _damaged(secret: Path) -> UserError:
    return UserError(
        f"the certificate authority in {secret} is damaged",
        help="restore the file from a backup; removing it makes a new mesh that every workload must join again",
    )


def _publish(public: Path, pem: bytes) -> None:
    """Write the public certificate where it is missing or differs; everybody may read it."""
    if not public.exists() or public.read_bytes() != pem:
        write_whole(public, pem, 0o644)


def _check(root: x509.Certificate, key: ec.EllipticCurvePrivateKey, trust_domain: str, now: float, file: Path) -> None:
    if root.public_key() != key.public_key():
        raise _damaged(file)
    names = root.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    own = names.get_values_for_type(x509.UniformResourceIdentifier)
    if own != [f"spiffe://{trust_domain}"]:
        raise UserError(
            f"the certificate authority in {file} is that of {', '.join(own)}, not of spiffe://{trust_domain}",
            help="keep the trust domain, or use another state directory for another mesh",
        )
    if root.not_valid_after_utc.timestamp() <= now:
        raise UserError(f"the root certificate in {file} has expired", help="move it away to make a new authority")
