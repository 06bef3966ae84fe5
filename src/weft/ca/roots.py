"""Root certificates with their keys: how they lie in the authority's directory, and how one takes another's place.

Each root is one file, key and certificate together, so that no crash can part them. ``root-key.pem`` is the root that
counts; ``next-root-key.pem`` is there while it is being replaced, and ``rotation.json`` says how far that is. Every
step is one atomic change of one file, so that whoever reads the directory after a crash finds a whole step. The key of
a root may be kept elsewhere (``key_files``): its intermediate signs on (``intermediates``).
"""

import contextlib
import hashlib
from enum import Enum
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from weft.ca.certificates import pem_of, root_certificate
from weft.ca.key_files import damaged, read_pair, write_pair
from weft.kit.errors import UserError
from weft.kit.files import write_whole
from weft.kit.sealing import Keyring
from weft.kit.value import Value

_PRIMARY = "root-key.pem"
_NEXT = "next-root-key.pem"
_ROTATION = "rotation.json"
_PUBLIC = "root.pem"


class Phase(Enum):
    """How far the rotation of a root is.

    DISTRIBUTE: everybody is told to believe the next root too, the old one signs. SIGN: the next one signs, everybody
    is told to take a new certificate. FINISH: the next one takes the old one's place. REVERT: the old one signs again
    and everybody is told to come back, then the next one is forgotten.
    """

    NONE = "none"
    DISTRIBUTE = "distribute"
    SIGN = "sign"
    FINISH = "finish"
    REVERT = "revert"


class Rotation(Value):
    """``since`` is when the phase began, in seconds since the epoch.

    ``eager``: the old root is dropped once everybody who is there has a new certificate; otherwise not before every
    certificate of the old root has ended.
    """

    phase: Phase = Phase.NONE
    since: float = 0.0
    eager: bool = False


class Root:
    """A root certificate and its key, ``None`` while that is kept elsewhere."""

    def __init__(self, key: ec.EllipticCurvePrivateKey | None, certificate: x509.Certificate) -> None:
        self.key = key
        self.certificate = certificate
        self.pem = pem_of(certificate)

    @property
    def may_delegate(self) -> bool:
        """Whether it may have an intermediate; those of the first versions of weft may not."""
        limits = self.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        return limits.path_length != 0

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the certificate (DER) in hexadecimal."""
        return hashlib.sha256(self.certificate.public_bytes(serialization.Encoding.DER)).hexdigest()

    @property
    def expires(self) -> float:
        """Its end, in seconds since the epoch."""
        return self.certificate.not_valid_after_utc.timestamp()


class RootFiles:
    """The files of an authority; the caller holds the directory's lock while it opens them."""

    def __init__(self, directory: Path, trust_domain: str, keyring: Keyring | None) -> None:
        self._directory = directory
        self._trust_domain = trust_domain
        self._keyring = keyring

    def primary(self, now: float) -> Root:
        """The root that counts, created at the first start. Raises ``UserError``."""
        file = self._directory / _PRIMARY
        if not file.exists():
            self._create(file, now)
        root = self._load(file)
        self._check(root, now, file)
        return root

    def rotation(self, now: float) -> tuple[Rotation, Root | None]:
        """What a rotation has come to, after a crash too; a last step that was begun is ended. Raises ``UserError``."""
        state, following = self._directory / _ROTATION, self._directory / _NEXT
        try:
            rotation = msgspec.json.decode(state.read_bytes(), type=Rotation)
        except FileNotFoundError:
            following.unlink(missing_ok=True)
            return Rotation(), None
        except (OSError, msgspec.MsgspecError) as damage:
            raise damaged(state) from damage
        if rotation.phase is Phase.FINISH:
            self.finish(rotation)
            return Rotation(), None
        root = self._load(following)
        self._check(root, now, following)
        return rotation, root

    def begin(self, rotation: Rotation, now: float) -> Root:
        """Make the next root and say that a rotation is under way."""
        file = self._directory / _NEXT
        self._create(file, now)
        root = self._load(file)
        self.advance(rotation)
        return root

    def advance(self, rotation: Rotation) -> None:
        """Say how far the rotation is."""
        write_whole(self._directory / _ROTATION, msgspec.json.encode(rotation))

    def finish(self, rotation: Rotation) -> None:
        """Put the next root in the place of the old one."""
        if rotation.phase is not Phase.FINISH:
            self.advance(msgspec.structs.replace(rotation, phase=Phase.FINISH))
        with contextlib.suppress(FileNotFoundError):  # it has its place already
            (self._directory / _NEXT).replace(self._directory / _PRIMARY)
        (self._directory / _ROTATION).unlink(missing_ok=True)

    def forget(self) -> None:
        """End a rotation as if it had never begun."""
        (self._directory / _ROTATION).unlink(missing_ok=True)
        (self._directory / _NEXT).unlink(missing_ok=True)

    def publish(self, bundle: str) -> None:
        """Write the public certificates where they are missing or differ; everybody may read them."""
        public, pem = self._directory / _PUBLIC, bundle.encode("ascii")
        if not public.exists() or public.read_bytes() != pem:
            write_whole(public, pem, 0o644)

    def reseal(self) -> None:
        """Bring every key under the newest key of the ring. Raises ``UserError``."""
        for name in (_PRIMARY, _NEXT):
            if (self._directory / name).exists():
                self._load(self._directory / name)

    def without_key(self, root: Root) -> None:
        """Forget the key of the root that counts: whoever calls has it in a safe place."""
        write_pair(self._directory / _PRIMARY, None, root.certificate, self._keyring)

    def _create(self, file: Path, now: float) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        write_pair(file, key, root_certificate(key, self._trust_domain, now), self._keyring)

    def _load(self, file: Path) -> Root:
        return Root(*read_pair(file, self._keyring))

    def _check(self, root: Root, now: float, file: Path) -> None:
        names = root.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        own = names.get_values_for_type(x509.UniformResourceIdentifier)
        if own != [f"spiffe://{self._trust_domain}"]:
            raise UserError(
                f"the certificate authority in {file} is that of {', '.join(own)}, not of spiffe://{self._trust_domain}",
                help="keep the trust domain, or use another state directory for another mesh",
            )
        if root.expires <= now:
            raise UserError(f"the root certificate in {file} has expired", help="move it away to make a new authority")
