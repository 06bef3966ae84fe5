"""The intermediates that sign leaves, one for each root: how they lie in the authority's directory, and when they go.

An intermediate is named after its root, so that nothing has to be moved when a root takes another's place. A new one
needs no distribution: it is sent along with every leaf that it signed, and everybody believes the root.
"""

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from weft.ca.certificates import intermediate_certificate, key_pem_of, pem_of
from weft.ca.csr import key_of
from weft.ca.issuer import Issuer, end_of
from weft.ca.key_files import damaged, read_pair, read_sealed, write_pair
from weft.ca.roots import Root
from weft.ca.sealed_key import renewed
from weft.ca.signer import SignerAway
from weft.kit.errors import UserError
from weft.kit.files import write_whole
from weft.kit.sealing import Keyring

DEFAULT_LIFETIME = 90 * 86400.0
_PREFIX = "intermediate-"
_REQUEST = "requested-key.pem"


class Intermediates:
    """The issuers of the roots of one directory; ``lifetime`` is seconds."""

    def __init__(self, directory: Path, trust_domain: str, keyring: Keyring | None, lifetime: float) -> None:
        self._directory = directory
        self._trust_domain = trust_domain
        self._keyring = keyring
        self.lifetime = lifetime
        self._issuers: dict[str, tuple[tuple[int, int], Issuer]] = {}

    def issuer(self, root: Root, now: float) -> Issuer:
        """Who signs leaves below a root. Raises ``UserError`` for a damaged file and ``SignerAway`` without a key."""
        if not root.may_delegate:
            if root.key is None:
                raise SignerAway(f"the key of the root {root.fingerprint[:12]} is not here")
            return Issuer(root.key, root.certificate, "", root.expires)
        found = self._current(root)
        if root.key is not None and (found is None or now >= found.begins + (found.expires - found.begins) / 2):
            self._make(root, now)
            found = self._current(root)
        if found is None or found.expires <= now:
            raise SignerAway(f"there is no intermediate of the root {root.fingerprint[:12]}, whose key is not here")
        return found

    def changed(self, root: Root) -> bool:
        """Whether the file is another than the one that is used."""
        known = self._issuers.get(root.fingerprint)
        return known is not None and _version(self._file(root)) != known[0]

    def renew(self, root: Root, now: float) -> None:
        """Make a new one at once, while the root's key is here."""
        self._make(root, now)

    def clean(self, roots: tuple[Root, ...]) -> None:
        """Remove those of roots that are gone."""
        kept = {self._file(root) for root in roots}
        for file in self._directory.glob(f"{_PREFIX}*.pem"):
            if file not in kept:
                file.unlink(missing_ok=True)

    def reseal(self) -> None:
        """Bring every key under the newest key of the ring. Raises ``UserError``."""
        for file in (*self._directory.glob(f"{_PREFIX}*.pem"), self._directory / _REQUEST):
            if file.exists():
                read_sealed(file, self._keyring)

    def request(self) -> bytes:
        """A new key, kept here, and the request that asks the keeper of the root's key to sign for it (PEM)."""
        key = ec.generate_private_key(ec.SECP256R1())
        write_whole(self._directory / _REQUEST, renewed(key_pem_of(key), self._keyring))
        request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
        return request.public_bytes(serialization.Encoding.PEM)

    def install(self, root: Root, pem: bytes) -> float:
        """Use what came back for ``request``, and return its end. Raises ``UserError``."""
        waiting = self._directory / _REQUEST
        if not waiting.exists():
            raise UserError("no intermediate was asked for", help="begin with weft ca request-intermediate")
        key = serialization.load_pem_private_key(read_sealed(waiting, self._keyring), None)
        certificate = _certificate(pem)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.public_key() != key.public_key():
            raise UserError("this certificate is for another key than the one that was asked for last")
        try:
            certificate.verify_directly_issued_by(root.certificate)
        except (ValueError, TypeError, InvalidSignature) as wrong:
            raise UserError(f"this certificate is not signed by the root {root.fingerprint[:12]}") from wrong
        write_pair(self._file(root), key, certificate, self._keyring)
        waiting.unlink()
        return end_of(certificate)

    def _current(self, root: Root) -> Issuer | None:
        file = self._file(root)
        known = self._issuers.get(root.fingerprint)
        if known is None or _version(file) != known[0]:
            if not file.exists():
                return None
            known = self._issuers[root.fingerprint] = (_version(file), self._load(file, root))
        return known[1]

    def _load(self, file: Path, root: Root) -> Issuer:
        key, certificate = read_pair(file, self._keyring)
        if key is None or certificate.issuer != root.certificate.subject:
            raise damaged(file)
        return Issuer(key, certificate, pem_of(certificate), min(end_of(certificate), root.expires))

    def _make(self, root: Root, now: float) -> None:
        assert root.key is not None
        key = ec.generate_private_key(ec.SECP256R1())
        expires = min(now + self.lifetime, root.expires)
        certificate = intermediate_certificate(
            root.certificate, root.key, key.public_key(), self._trust_domain, now, expires
        )
        write_pair(self._file(root), key, certificate, self._keyring)

    def _file(self, root: Root) -> Path:
        return self._directory / f"{_PREFIX}{root.fingerprint[:16]}.pem"


def signed_intermediate(root: Root, request: bytes, trust_domain: str, now: float, lifetime: float) -> str:
    """The certificate for a request of another machine, made where the root's key is. Raises ``BadRequest``."""
    assert root.key is not None
    expires = min(now + lifetime, root.expires)
    return pem_of(intermediate_certificate(root.certificate, root.key, key_of(request), trust_domain, now, expires))


def _certificate(pem: bytes) -> x509.Certificate:
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (ValueError, x509.ExtensionNotFound) as wrong:
        raise UserError("this is no certificate of an authority in PEM") from wrong
    if not constraints.ca:
        raise UserError("this certificate may not sign others")
    return certificate


def _version(file: Path) -> tuple[int, int]:
    """Changes with every replacement of a file."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return (0, 0)
    return (found.st_ino, found.st_mtime_ns)
