"""The embedded certificate authority: a root in a directory, its intermediate, and the leaves that this signs.

The identity of a leaf is an argument, never something that the request says. A root is replaced in phases (``roots``),
in each of which every workload believes every other one; an intermediate is replaced when half of its life is over.
"""

import hashlib
from pathlib import Path

from weft.ca.ending import Ending
from weft.ca.intermediates import DEFAULT_LIFETIME as INTERMEDIATE_LIFETIME
from weft.ca.intermediates import Intermediates
from weft.ca.issuer import Issuer, begin_of, ending_of
from weft.ca.jwt_keys import FILE as TOKEN_KEYS
from weft.ca.jwt_keys import read_keys
from weft.ca.roots import Phase, Root, RootFiles, Rotation
from weft.ca.signer import Leaf, Listener, SignerAway
from weft.kit.clock import Clock
from weft.kit.errors import UserError
from weft.kit.files import locked, private_directory
from weft.kit.sealing import Keyring
from weft.model.identity import Identity

DEFAULT_LIFETIME = 24 * 3600.0
SHORTEST_LIFETIME = 60.0
LONGEST_LIFETIME = 30 * 24 * 3600.0


class Authority:
    """Signs for one trust domain; see ``open_authority``. One of the kinds of ``Signer``."""

    kind = "embedded"

    def __init__(
        self, files: RootFiles, intermediates: Intermediates, trust_domain: str, clock: Clock, lifetime: float
    ) -> None:
        self.trust_domain = trust_domain
        self.lifetime = lifetime
        self._files = files
        self._intermediates = intermediates
        self._clock = clock
        now = clock.now()
        self._rotation, self._next = files.rotation(now)
        self._primary = files.primary(now)
        files.publish(self.bundle)
        intermediates.clean(self.roots)

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
        self._intermediates.clean(self.roots)

    def sign(self, request: bytes, identity: Identity) -> Leaf:
        """A leaf for the key of a request (PEM) and the identity of its caller. Raises ``BadRequest``."""
        return self._issuer(self.signer).leaf(request, identity, self._clock.now(), self.lifetime)

    async def issue(self, request: bytes, identity: Identity) -> Leaf:
        """As ``sign``."""
        return self.sign(request, identity)

    def listener(self, hosts: tuple[str, ...]) -> Listener:
        """A new key and certificate for the control plane itself, good for ``localhost`` and for ``hosts``.

        Signed below the root that counts until it is dropped, so that an agent which was away all the time believes it.
        """
        return self._issuer(self._primary).listener(self.trust_domain, hosts, self._clock.now(), self.lifetime)

    async def look(self) -> bool:
        """Renew intermediates that are due, and take those that a command put there. Raises ``SignerAway``."""
        changed = [root for root in self.roots if self._intermediates.changed(root)]
        for root in self.roots:
            self._issuer(root)
        return bool(changed)

    async def close(self) -> None:
        """Nothing is open."""

    def endings(self) -> tuple[Ending, ...]:
        """The roots and what signs below them."""
        return tuple(ending for root in self.roots for ending in self._endings_below(root))

    def _endings_below(self, root: Root) -> tuple[Ending, ...]:
        signs = root is self.signer
        try:
            issuer = self._issuer(root)
        except SignerAway:
            return (_ending_of_root(root, signs=False),)
        if not issuer.above:
            return (_ending_of_root(root, signs=signs),)
        below = ending_of(issuer, renewed=root.key is not None, signs=signs)
        return (_ending_of_root(root, signs=False), below)

    def _issuer(self, root: Root) -> Issuer:
        return self._intermediates.issuer(root, self._clock.now())


def _ending_of_root(root: Root, *, signs: bool) -> Ending:
    name = root.fingerprint[:16] + ("" if root.key else ", key kept elsewhere")
    return Ending(
        kind="root", name=name, expires=root.expires, life=root.expires - begin_of(root.certificate), signs=signs
    )


def open_authority(
    directory: Path,
    *,
    trust_domain: str,
    clock: Clock,
    lifetime: float = DEFAULT_LIFETIME,
    keyring: Keyring | None = None,
    intermediate_lifetime: float = INTERMEDIATE_LIFETIME,
) -> Authority:
    """The authority of a directory, created at the first start; two processes that start at once share one.

    ``lifetime`` is that of leaves, in seconds. With a ``keyring`` the root's key is sealed with its newest, one that
    lies there in plaintext or under another key too. Raises ``UserError`` when the files are of another trust domain,
    unreadable, sealed with an unknown key, or open to others.
    """
    check_lifetime(lifetime)
    if not 2 * lifetime <= intermediate_lifetime:
        raise UserError(
            f"an intermediate of {intermediate_lifetime:g} seconds is too short for certificates of {lifetime:g}",
            help="let it live at least twice as long as what it signs",
        )
    private_directory(directory)
    with locked(directory / "lock"):
        files = RootFiles(directory, trust_domain, keyring)
        intermediates = Intermediates(directory, trust_domain, keyring, intermediate_lifetime)
        authority = Authority(files, intermediates, trust_domain, clock, lifetime)
        try:
            authority.listener(())
        except SignerAway as away:
            raise UserError(str(away), help="make one where the key is: weft ca request-intermediate") from away
        return authority


def check_lifetime(lifetime: float) -> None:
    """Raises ``UserError`` for seconds that no leaf is to live."""
    if not SHORTEST_LIFETIME <= lifetime <= LONGEST_LIFETIME:
        raise UserError(
            f"certificates cannot live for {lifetime:,.0f} seconds",
            help=f"choose between {SHORTEST_LIFETIME:g} seconds and {LONGEST_LIFETIME / 86400:g} days",
        )


def renew_authority(directory: Path, keyring: Keyring) -> None:
    """Bring the keys of an authority, if there is one, under the newest key. Raises ``UserError``."""
    private_directory(directory)
    with locked(directory / "lock"):
        RootFiles(directory, "", keyring).reseal()
        Intermediates(directory, "", keyring, INTERMEDIATE_LIFETIME).reseal()
        read_keys(directory / TOKEN_KEYS, keyring)
