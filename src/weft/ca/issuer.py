"""A certificate that signs others, with its key and with what has to be sent along to be believed."""

import datetime
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from weft.ca.certificates import SigningKey, key_pem_of, leaf_certificate, pem_of
from weft.ca.csr import key_of
from weft.ca.ending import Ending
from weft.ca.names import control_plane
from weft.ca.signer import Leaf, Listener, SignerAway
from weft.model.identity import Identity


class Issuer:
    """Signs leaves. ``above`` are the certificates between it and the root, as PEM, its own first.

    Empty for a root, which everybody has. ``expires`` is the earliest end of the chain, ``root`` the fingerprint of
    the root.
    """

    def __init__(
        self, key: SigningKey, certificate: x509.Certificate, above: str, expires: float, root: str = ""
    ) -> None:
        self.root = root
        self.certificate = certificate
        self.above = above
        self.expires = expires
        self._key = key

    @property
    def begins(self) -> float:
        """Seconds since the epoch."""
        return begin_of(self.certificate)

    def leaf(self, request: bytes, identity: Identity, now: float, lifetime: float) -> Leaf:
        """A leaf for the key of a request (PEM) and an identity. Raises ``BadRequest``, ``SignerAway``."""
        key = key_of(request)
        expires = self._end(now, lifetime)
        leaf = leaf_certificate(self.certificate, self._key, key, identity, now, expires)
        return Leaf(chain=pem_of(leaf) + self.above, expires=expires)

    def listener(self, trust_domain: str, hosts: tuple[str, ...], now: float, lifetime: float) -> Listener:
        """A new key and certificate for the control plane itself, good for ``localhost`` and for ``hosts``.

        Raises ``SignerAway``.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        expires = self._end(now, lifetime)
        identity = control_plane(trust_domain)
        names = names_of(hosts)
        leaf = leaf_certificate(self.certificate, self._key, key.public_key(), identity, now, expires, names)
        return Listener(key=key_pem_of(key), chain=(pem_of(leaf) + self.above).encode("ascii"), expires=expires)

    def _end(self, now: float, lifetime: float) -> float:
        """The end of a leaf that begins now: never after that of what it descends from."""
        if self.expires <= now:
            raise SignerAway("the certificate that signs has ended")
        return float(int(min(now + lifetime, self.expires)))


def ending_of(issuer: Issuer, *, renewed: bool, signs: bool) -> Ending:
    """An intermediate as one of the things that end."""
    return Ending(
        kind="intermediate",
        name=fingerprint_of(issuer.certificate)[:16],
        expires=issuer.expires,
        life=issuer.expires - issuer.begins,
        renewed=renewed,
        signs=signs,
    )


def names_of(hosts: tuple[str, ...]) -> tuple[str, ...]:
    """The names in a certificate of the control plane."""
    return tuple(dict.fromkeys(("localhost", "127.0.0.1", "::1", *hosts)))


def fingerprint_of(certificate: x509.Certificate) -> str:
    """The SHA-256 of the certificate (DER) in hexadecimal."""
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


def end_of(certificate: x509.Certificate) -> float:
    """Its end, in seconds since the epoch."""
    return _seconds(certificate.not_valid_after_utc)


def begin_of(certificate: x509.Certificate) -> float:
    """Its begin, in seconds since the epoch."""
    return _seconds(certificate.not_valid_before_utc)


def _seconds(moment: datetime.datetime) -> float:
    return moment.timestamp()
