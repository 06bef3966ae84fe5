"""The embedded certificate authority: one ECDSA P-256 root in a directory, and the leaves that it signs.

The identity of a leaf is an argument, never something that the request says. A root is replaced in phases (``roots``),
in each of which every workload believes every other one.
"""

import hashlib
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from weft.ca.certificates import key_pem_of, leaf_certificate, pem_of
from weft.ca.csr import key_of
from weft.ca.names import control_plane
from weft.ca.roots import Phase, Root, RootFiles, Rotation
from weft.kit.clock import Clock
from weft.kit.errors import UserError
from weft.kit.files import locked, private_directory
from weft.kit.sealing import Keyring
from weft.kit.value import Value
from weft.model.identity import Identity

DEFAULT_LIFETIME = 24 * 3600.0
SHORTEST_LIFETIME = 60.0
LONGEST_LIFETIME = 30 * 24 * 3600.0


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

    def __init__(self, files: RootFiles, trust_domain: str, clock: Clock, lifetime: float) -> None:
        self.trust_domain = trust_domain
        self.lifetime = lifetime
        self._files = files
        self._clock = clock
        now = clock.now()
        self._rotation, self._next = files.rotation(now)
        self._primary = files.primary(now)
        files.publish(self.bundle)

    @property
    def bundle(self) -> str:
        """The certificates that everybody is to believe, as PEM: one, or two while the root is being replaced."""
        return "".join(root.pem for root in self.roots)

    @property
    def roots(self) -> tuple[Root, ...]:
        """The root that counts, then the one that is to take its place."""
        return (self._primary, self._next) if self._next else (self._primary,)

    @property
    def signer(self) -> Root:
        """The root that signs for workloads now."""
        return self._next if self._next and self._rotation.phase is Phase.SIGN else self._primary

    @property
    def rotation(self) -> Rotation:
        """How far the replacement of the root is."""
        return self._rotation

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the root certificate (DER) in hexadecimal, for ``--ca-fingerprint``."""
        return self._primary.fingerprint

    @property
    def tag(self) -> str:
        """Names what everybody is to believe and who signs: whoever holds another tag needs a new certificate."""
        return hashlib.sha256(f"{self.bundle}{self.signer.fingerprint}".encode()).hexdigest()[:16]

    def begin_rotation(self, *, eager: bool) -> None:
        """Make the next root and have it believed. Raises ``UserError`` while a rotation is under way."""
        if self._rotation.phase is not Phase.NONE:
            raise UserError(
                "the root is being replaced already", help="see weft ca status; weft ca abort takes it back"
            )
        now = self._clock.now()
        rotation = Rotation(phase=Phase.DISTRIBUTE, since=now, eager=eager)
        self._next = self._files.begin(rotation, now)
        self._enter(rotation)

    def switch_signer(self) -> None:
        """Let the next root sign."""
        self._advance(Phase.SIGN)

    def finish_rotation(self) -> None:
        """Put the next root in the place of the old one, which nobody believes any more."""
        assert self._next is not None
        self._files.finish(self._rotation)
        self._primary, self._next = self._next, None
        self._enter(Rotation())

    def abort_rotation(self) -> None:
        """Go back: at once while the old root signs, else when everybody has come back. Raises ``UserError``."""
        match self._rotation.phase:
            case Phase.DISTRIBUTE:
                self.forget_rotation()
            case Phase.SIGN:
                self._advance(Phase.REVERT)
            case _:
                raise UserError("there is nothing to take back", help="see weft ca status")

    def forget_rotation(self) -> None:
        """Drop the next root, which nobody has a certificate of."""
        self._files.forget()
        self._next = None
        self._enter(Rotation())

    def _advance(self, phase: Phase) -> None:
        rotation = Rotation(phase=phase, since=self._clock.now(), eager=self._rotation.eager)
        self._files.advance(rotation)
        self._enter(rotation)

    def _enter(self, rotation: Rotation) -> None:
        self._rotation = rotation
        self._files.publish(self.bundle)

    def sign(self, request: bytes, identity: Identity) -> Leaf:
        """A leaf for the key of a request (PEM) and the identity of its caller. Raises ``BadRequest``."""
        key = key_of(request)
        now = self._clock.now()
        root = self.signer
        expires = self._end(now, root)
        leaf = leaf_certificate(root.certificate, root.key, key, identity, now, expires)
        return Leaf(chain=pem_of(leaf), expires=expires)

    def listener(self, hosts: tuple[str, ...]) -> Listener:
        """A new key and certificate for the control plane itself, good for ``localhost`` and for ``hosts``.

        Signed by the root that counts until it is dropped, so that an agent which was away all the time believes it.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        now = self._clock.now()
        root = self._primary
        expires = self._end(now, root)
        names = tuple(dict.fromkeys(("localhost", "127.0.0.1", "::1", *hosts)))
        identity = control_plane(self.trust_domain)
        leaf = leaf_certificate(root.certificate, root.key, key.public_key(), identity, now, expires, names)
        return Listener(key=key_pem_of(key), chain=pem_of(leaf).encode("ascii"), expires=expires)

    def _end(self, now: float, root: Root) -> float:
        """The end of a leaf that begins now: never after the root's."""
        return float(int(min(now + self.lifetime, root.expires)))


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
        return Authority(RootFiles(directory, trust_domain, keyring), trust_domain, clock, lifetime)


def renew_authority(directory: Path, keyring: Keyring) -> None:
    """Bring the keys of an authority, if there is one, under the newest key. Raises ``UserError``."""
    private_directory(directory)
    with locked(directory / "lock"):
        RootFiles(directory, "", keyring).reseal()
