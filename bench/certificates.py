"""Certificates for the bare Envoys and for scripted peers: of weft's kind, ECDSA P-256 with a SPIFFE ID."""

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = datetime.timedelta(days=1)


def write_pair(directory: Path, *uris: str) -> Path:
    """A root and, for each URI, a leaf: ``<n>.crt`` and ``<n>.key`` beside ``ca.crt``, whose path is returned."""
    root_key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")])
    root = _signed(name, name, root_key.public_key(), root_key, x509.BasicConstraints(ca=True, path_length=0))
    for index, uri in enumerate(uris):
        key = new_key(directory / f"{index}.key")
        alternative = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)])
        leaf = _signed(x509.Name([]), name, key.public_key(), root_key, alternative)
        (directory / f"{index}.crt").write_bytes(leaf)
    bundle = directory / "ca.crt"
    bundle.write_bytes(root)
    return bundle


def new_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """A key, written to ``path`` as PEM, mode 0600."""
    key = ec.generate_private_key(ec.SECP256R1())
    path.touch(mode=0o600)
    path.write_bytes(pem_of(key))
    return key


def pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key as PEM."""
    pkcs8, bare = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, pkcs8, bare)


def request_of(key: ec.EllipticCurvePrivateKey) -> str:
    """A certificate signing request without a name: the authority decides who it is."""
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def _signed(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
) -> bytes:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
        .add_extension(extension, critical=True)
    )
    return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
