"""Signers whose certificate is a file and whose key weft may use: what is the same wherever that key lies."""

from cryptography import x509

from weft.ca.chains import bundle_of
from weft.ca.ending import Ending
from weft.ca.issuer import Issuer, begin_of, end_of, ending_of, fingerprint_of
from weft.ca.outside import Outside
from weft.ca.signer import Listener
from weft.kit.clock import Clock


class Keyed(Outside):
    """Whoever is of this kind reads ``_roots`` and ``_issuer`` when it is made, and again in ``look``."""

    _roots: tuple[x509.Certificate, ...]
    _issuer: Issuer

    def __init__(self, owner: str, trust_domain: str, clock: Clock, lifetime: float) -> None:
        self.trust_domain = trust_domain
        self.lifetime = lifetime
        self.owner = owner
        self._clock = clock

    @property
    def bundle(self) -> str:
        """The roots."""
        return bundle_of(self._roots)

    @property
    def signing_root(self) -> str:
        """The root above the issuer."""
        return self._issuer.root

    def endings(self) -> tuple[Ending, ...]:
        """The roots and what signs."""
        return (*endings_of(self._roots), ending_of(self._issuer, renewed=False, signs=True))

    def listener(self, hosts: tuple[str, ...]) -> Listener:
        """A certificate of the control plane itself."""
        return self._issuer.listener(self.trust_domain, hosts, self._clock.now(), self.lifetime)


def endings_of(roots: tuple[x509.Certificate, ...]) -> tuple[Ending, ...]:
    """Roots as things that end."""
    return tuple(
        Ending(kind="root", name=fingerprint_of(root)[:16], expires=end_of(root), life=end_of(root) - begin_of(root))
        for root in roots
    )
