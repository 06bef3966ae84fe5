"""Certificates to try signers with, and what their answers are made of."""

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store

from weft.model.identity import Identity

REVIEWS = Identity(trust_domain="cluster.local", namespace="shop", account="reviews")
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def csr(key: ec.EllipticCurvePrivateKey | None = None) -> bytes:
    signer = key or ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(signer, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


def parsed(chain: str) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(chain.encode())


def is_believed(chain: str, bundle: str, now: float) -> bool:
    """Whether an independent verifier takes the chain, as a peer does that knows the bundle alone."""
    leaf, *between = parsed(chain)
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    roots = x509.load_pem_x509_certificates(bundle.encode())
    verifier = PolicyBuilder().store(Store(roots)).time(moment).max_chain_depth(4).build_client_verifier()
    try:
        verifier.verify(leaf, between)
    except x509.verification.VerificationError:
        return False
    return True


class Maker:
    """An authority that is not weft's."""

    def __init__(self, name: str, above: "Maker | None" = None, key: Key | None = None, days: int = 3650) -> None:
        self.key: Key = key or ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = above or self
        start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
        issuer = above.certificate.subject if above else subject
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
        )
        if above:
            identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(above.key.public_key())
            builder = builder.add_extension(identifier, critical=False)
        self.certificate = builder.sign(signer.key, hashes.SHA256())

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )


def write_cacerts(directory: Path, signer: Maker, roots: tuple[Maker, ...], between: tuple[Maker, ...] = ()) -> Path:
    """The files of Istio's Secret."""
    directory.mkdir(exist_ok=True)
    (directory / "ca-cert.pem").write_text(signer.pem)
    (directory / "ca-key.pem").write_bytes(signer.key_pem)
    (directory / "root-cert.pem").write_text("".join(root.pem for root in roots))
    (directory / "cert-chain.pem").write_text("".join(one.pem for one in (signer, *between)))
    return directory
