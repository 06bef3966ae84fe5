"""The root's key kept elsewhere: taken out of a state directory, and used there to sign the next intermediate."""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from weft.ca.intermediates import Intermediates, signed_intermediate
from weft.ca.roots import Phase, Root, RootFiles
from weft.kit.clock import Clock
from weft.kit.errors import UserError
from weft.kit.files import locked, write_whole
from weft.kit.sealing import Keyring

LONGEST = 5 * 366 * 86400.0


class OfflineRoot:
    """The authority of a directory, whose control plane may run or not."""

    def __init__(self, directory: Path, keyring: Keyring, clock: Clock) -> None:
        self._directory = directory
        self._keyring = keyring
        self._clock = clock

    def export(self, file: Path, passphrase: bytes, lifetime: float) -> float:
        """Move the root's key into a file, which is new, and return the end of the intermediate that stays.

        The control plane must be stopped. The key is removed here only when it can be read there. Raises ``UserError``.
        """
        with locked(self._directory / "lock"):
            files, root = self._opened()
            if files.rotation(self._clock.now())[0].phase is not Phase.NONE:
                raise UserError("the root is being replaced", help="wait until that is done: weft ca watch")
            if root.key is None:
                raise UserError("the root's key is not here", help="it was exported before")
            if not root.may_delegate:
                raise UserError(
                    "the root of this mesh was made by an older weft and signs certificates itself",
                    help="replace it first: weft ca rotate",
                )
            if file.exists():
                raise UserError(f"{file} exists", help="choose another file")
            intermediates = self._intermediates(root, lifetime)
            write_whole(file, exported(root, passphrase))
            imported(file, passphrase)
            intermediates.renew(root, self._clock.now())
            files.without_key(root)
            return intermediates.issuer(root, self._clock.now()).expires

    def request(self) -> bytes:
        """A request for the next intermediate (PEM); its key stays here. Raises ``UserError``."""
        with locked(self._directory / "lock"):
            _, root = self._opened()
            return self._intermediates(root, LONGEST).request()

    def install(self, certificate: bytes) -> float:
        """Use the intermediate that was signed, and return its end; a running control plane takes it by itself."""
        with locked(self._directory / "lock"):
            _, root = self._opened()
            return self._intermediates(root, LONGEST).install(root, certificate)

    def _opened(self) -> tuple[RootFiles, Root]:
        public = self._directory / "root.pem"
        try:
            trust_domain = trust_domain_of(x509.load_pem_x509_certificate(public.read_bytes()))
        except (OSError, ValueError) as missing:
            raise UserError(f"there is no certificate authority in {self._directory}") from missing
        files = RootFiles(self._directory, trust_domain, self._keyring)
        return files, files.primary(self._clock.now())

    def _intermediates(self, root: Root, lifetime: float) -> Intermediates:
        return Intermediates(self._directory, trust_domain_of(root.certificate), self._keyring, lifetime)


def exported(root: Root, passphrase: bytes) -> bytes:
    """A root with its key as PEM, encrypted if there is a passphrase."""
    assert root.key is not None
    protection: serialization.KeySerializationEncryption = (
        serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    )
    key = root.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)
    return key + root.pem.encode("ascii")


def imported(file: Path, passphrase: bytes) -> Root:
    """What ``exported`` wrote. Raises ``UserError``."""
    try:
        content = file.read_bytes()
        key = serialization.load_pem_private_key(content, passphrase or None)
        certificate = x509.load_pem_x509_certificate(content)
    except OSError as refused:
        raise UserError(f"{file} cannot be read ({(refused.strerror or str(refused)).lower()})") from refused
    except (ValueError, TypeError) as wrong:
        raise UserError(
            f"{file} holds no root that opens", help="give the passphrase it was exported with: --passphrase-file"
        ) from wrong
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise UserError(f"the key in {file} is not that of its certificate")
    return Root(key, certificate)


def sign_request(root: Root, request: bytes, now: float, lifetime: float) -> str:
    """The intermediate (PEM) for what ``request`` made. Raises ``BadRequest``."""
    return signed_intermediate(root, request, trust_domain_of(root.certificate), now, lifetime)


def trust_domain_of(certificate: x509.Certificate) -> str:
    """The trust domain of a root of weft's. Raises ``UserError``."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier) if names is not None else []
    if len(uris) != 1:
        raise UserError("this root names no trust domain")
    return uris[0].removeprefix("spiffe://")
