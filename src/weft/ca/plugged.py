"""An intermediate from files, in the words of Istio's Secret ``cacerts``, or of a ``kubernetes.io/tls`` Secret.

``ca-cert.pem`` and ``ca-key.pem`` sign, ``root-cert.pem`` is believed, ``cert-chain.pem`` is what lies between; or
``tls.crt``, ``tls.key`` and ``ca.crt``. When the files change they are read again, and used if they make sense.
"""

from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from weft.ca.certificates import SigningKey, pem_of
from weft.ca.chains import certificates_in, is_self_signed, may_sign, path_to_root
from weft.ca.issuer import Issuer, end_of, fingerprint_of
from weft.ca.keyed import Keyed
from weft.ca.signer import Leaf, SignerAway
from weft.kit.clock import Clock
from weft.kit.errors import UserError
from weft.model.identity import Identity

_LARGEST = 1024 * 1024
_ISTIO = ("ca-cert.pem", "ca-key.pem", "root-cert.pem")
_KUBERNETES = ("tls.crt", "tls.key", "ca.crt")
_CHAIN = "cert-chain.pem"
_NEEDS = f"the directory needs {', '.join(_ISTIO)} and, if something lies between, {_CHAIN}"
_log = structlog.get_logger()


class Plugged(Keyed):
    """Signs with the newest good content of a directory; see ``open_plugged``."""

    kind = "files"

    def __init__(self, directory: Path, trust_domain: str, clock: Clock, lifetime: float) -> None:
        super().__init__(str(directory), trust_domain, clock, lifetime)
        self._directory = directory
        self._seen = _versions(directory)
        self._roots, self._issuer = read_issuer(directory, clock.now())

    async def issue(self, request: bytes, identity: Identity) -> Leaf:
        """A leaf. Raises ``BadRequest``, and ``SignerAway`` once the intermediate has ended."""
        now = self._clock.now()
        if self._issuer.expires <= now:
            raise SignerAway(f"the intermediate in {self._directory} has ended")
        return self._issuer.leaf(request, identity, now, self.lifetime)

    async def look(self) -> bool:
        """Read files that changed. Raises ``UserError`` as long as they make no sense; what was read before counts."""
        versions = _versions(self._directory)
        if versions == self._seen:
            return False
        before = set(map(fingerprint_of, self._roots))
        self._roots, self._issuer = read_issuer(self._directory, self._clock.now())
        self._seen = versions
        if not before & set(map(fingerprint_of, self._roots)):
            _log.warning("no root is left of those that were believed: connections fail until all have renewed")
        return True


def read_issuer(directory: Path, now: float) -> tuple[tuple[x509.Certificate, ...], Issuer]:
    """The roots, and who signs below them. Raises ``UserError``."""
    names = _KUBERNETES if not (directory / _ISTIO[0]).exists() and (directory / _KUBERNETES[0]).exists() else _ISTIO
    signing, key, believed = (directory / name for name in names)
    own = certificates_in(content_of(signing, _NEEDS), str(signing))
    roots = certificates_in(content_of(believed, _NEEDS), str(believed))
    between = directory / _CHAIN
    others = certificates_in(content_of(between), str(between)) if between.exists() else ()
    if not own or not roots:
        raise UserError(f"there is no certificate in {believed if own else signing}")
    return roots, issuer_of(_key(key), own[0], (*own[1:], *others), roots, now, str(signing))


def issuer_of(
    key: SigningKey,
    certificate: x509.Certificate,
    others: tuple[x509.Certificate, ...],
    roots: tuple[x509.Certificate, ...],
    now: float,
    place: str,
) -> Issuer:
    """The issuer of a key of somebody else, checked as those will who are to believe it. Raises ``UserError``."""
    if certificate.public_key() != key.public_key():
        raise UserError(f"the certificate in {place} is not that of the key")
    if not may_sign(certificate):
        raise UserError(f"the certificate in {place} may not sign others")
    if end_of(certificate) <= now:
        raise UserError(f"the certificate in {place} has ended")
    path = path_to_root(certificate, others, roots, now)
    if path is None:
        raise UserError(
            f"the certificate in {place} does not descend from the roots",
            help=f"what lies between belongs into {_CHAIN}, the roots into {_ISTIO[2]}",
        )
    above = "".join(pem_of(one) for one in path if not is_self_signed(one))
    return Issuer(key, certificate, above, min(map(end_of, path)), fingerprint_of(path[-1]))


def _key(file: Path) -> SigningKey:
    try:
        key = serialization.load_pem_private_key(content_of(file), None)
    except (ValueError, TypeError):
        raise UserError(f"{file} holds no private key in plain PEM") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        raise UserError(f"the key in {file} is neither ECDSA, RSA nor Ed25519")
    return key


def content_of(file: Path, needs: str | None = None) -> bytes:
    """A small file, and what to say that is needed if it is not there. Raises ``UserError``."""
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST + 1)
    except OSError as refused:
        reason = (refused.strerror or str(refused)).lower()
        raise UserError(f"{file} cannot be read ({reason})", help=needs) from refused
    if len(content) > _LARGEST:
        raise UserError(f"{file} is larger than {_LARGEST} bytes")
    return content


def _versions(directory: Path) -> tuple[tuple[str, int, int, int], ...]:
    """Changes when one of the files does, also where they are links that are exchanged."""
    found = []
    for name in (*_ISTIO, *_KUBERNETES, _CHAIN):
        try:
            facts = (directory / name).stat()
        except OSError:
            continue
        found.append((name, facts.st_ino, facts.st_mtime_ns, facts.st_size))
    return tuple(found)
