"""A root of trust for a test: certificates with the URI names that it asks for."""

import datetime as dt

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from weft.xds.server import TlsMaterial

DAY = dt.timedelta(days=1)


class Root:
    """A certificate authority; a client that trusts several can tell them apart by their names."""

    def __init__(self, name: str = "test root") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.BasicConstraints(ca=True, path_length=None)
        self._certificate = self._sign(self._name, self._key, [(usage, True)])
        self.pem = self._certificate.public_bytes(serialization.Encoding.PEM)

    def server(self, name: str = "localhost") -> TlsMaterial:
        key, chain = self.issue(x509.DNSName(name))
        return TlsMaterial(key=key, chain=chain, roots=self.pem)

    def workload(self, *uris: str) -> tuple[bytes, bytes]:
        """Key and chain of a workload with these URI names (none: a DNS name)."""
        names = [x509.UniformResourceIdentifier(uri) for uri in uris]
        return self.issue(*(names or [x509.DNSName("nobody")]))

    def issue(self, *names: x509.GeneralName) -> tuple[bytes, bytes]:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(x509.Name([]), key, [(x509.SubjectAlternativeName(names), True)])
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return pem, certificate.public_bytes(serialization.Encoding.PEM)

    def signed(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        """A certificate made elsewhere, signed by this root."""
        return builder.sign(self._key, hashes.SHA256())

    def revoked(self, *chains: bytes) -> bytes:
        """A list on which these certificates are (PEM)."""
        now = dt.datetime.now(dt.UTC)
        made = x509.CertificateRevocationListBuilder(self._name, now - DAY, now + DAY)
        for chain in chains:
            serial = x509.load_pem_x509_certificate(chain).serial_number
            one = x509.RevokedCertificateBuilder(serial, now - DAY).build()
            made = made.add_revoked_certificate(one)
        return made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def staple(self, serial: int) -> bytes:
        """What says that a certificate of a number is good (OCSP, DER)."""
        now, name = dt.datetime.now(dt.UTC), x509.Name([])
        about = x509.CertificateBuilder(name, name, self._key.public_key(), serial, now - DAY, now + DAY)
        made = ocsp.OCSPResponseBuilder().add_response(
            cert=about.sign(self._key, hashes.SHA256()),
            issuer=self._certificate,
            algorithm=hashes.SHA256(),
            cert_status=ocsp.OCSPCertStatus.GOOD,
            this_update=now - DAY,
            next_update=now + DAY,
            revocation_time=None,
            revocation_reason=None,
        )
        named = made.responder_id(ocsp.OCSPResponderEncoding.HASH, self._certificate)
        return named.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extensions: list[tuple[x509.ExtensionType, bool]]
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + DAY)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self._key, hashes.SHA256())
