"""A certificate authority for one test run, and the secrets that an agent would serve."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from weft._pb.envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret


class Authority:
    """Signs leaves for SPIFFE IDs."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "test")])
        self.root = self._build(self._name, self._key.public_key(), x509.BasicConstraints(ca=True, path_length=0))

    def secrets(self, uri: str) -> dict[str, Secret]:
        """The secrets ``default`` and ``ROOTCA`` of a workload."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)])
        leaf = self._build(x509.Name([]), key.public_key(), names)
        certificate, bundle = Secret(name="default"), Secret(name="ROOTCA")
        certificate.tls_certificate.certificate_chain.inline_bytes = _pem(leaf)
        certificate.tls_certificate.private_key.inline_bytes = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        bundle.validation_context.trusted_ca.inline_bytes = _pem(self.root)
        return {"default": certificate, "ROOTCA": bundle}

    def _build(self, subject, public_key, extension) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(extension, critical=True)
        )
        return builder.sign(self._key, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
