"""An authority of clients: certificates with any subject and names, and lists of those that it took back."""

import datetime
from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = datetime.timedelta(days=1)


class Pair:
    """A certificate and its key, and as PEM those between it and its root."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, between: bytes = b"") -> None:
        self.certificate = certificate
        self.key = key
        self._between = between

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM) + self._between

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


class ClientCa(Pair):
    """A root, or with ``above`` an intermediate. ``now`` is when everything is made."""

    def __init__(self, name: str, now: float, above: "ClientCa | None" = None) -> None:
        self.now = datetime.datetime.fromtimestamp(now, datetime.UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer, signer = (above.certificate.subject, above.key) if above else (subject, key)
        builder = self._begun(subject, issuer, key, 3650 * _DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        super().__init__(builder.sign(signer, hashes.SHA256()), key)

    def issue(
        self,
        *names: str,
        groups: Iterable[str] = (),
        uris: Iterable[str] = (),
        lifetime: datetime.timedelta = _DAY,
        usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
    ) -> Pair:
        """A certificate of common names and organisations."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
            + [x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names]
        )
        builder = self._begun(subject, self.certificate.subject, key, lifetime)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if uris:
            listed = [x509.UniformResourceIdentifier(uri) for uri in uris]
            builder = builder.add_extension(x509.SubjectAlternativeName(listed), critical=False)
        return Pair(builder.sign(self.key, hashes.SHA256()), key)

    def revoked(self, *taken: Pair, lifetime: datetime.timedelta = _DAY) -> bytes:
        """A list of those that were taken back, as PEM."""
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
        builder = builder.last_update(self.now - _DAY).next_update(self.now + lifetime)
        for pair in taken:
            entry = x509.RevokedCertificateBuilder().serial_number(pair.certificate.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(self.now).build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _begun(
        self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, lifetime: datetime.timedelta
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - 2 * _DAY)
            .not_valid_after(self.now + lifetime)
        )
