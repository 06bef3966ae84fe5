"""How the mesh's certificates look (SPIFFE X509-SVID, sections 2 to 5), and nothing of who gets one."""

import datetime
import ipaddress
import secrets

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from weft.ca.csr import PublicKey
from weft.model.identity import Identity

BACKDATED = 120.0
_ROOT_LIFETIME = 10 * 365.25 * 86400

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
"""The key of a certificate that signs others; it may be an adapter of one that is in a token."""


def root_certificate(key: ec.EllipticCurvePrivateKey, trust_domain: str, now: float) -> x509.Certificate:
    """A self-signed root for ten years; its own name is the trust domain (SPIFFE: an authority may have one)."""
    name = _authority_name(f"root of {trust_domain}")
    builder = _begun(name, name, key.public_key(), now, now + _ROOT_LIFETIME)
    return _authority(builder, key.public_key(), trust_domain, path_length=1).sign(key, hashes.SHA256())


def intermediate_certificate(
    root: x509.Certificate, root_key: SigningKey, key: PublicKey, trust_domain: str, now: float, expires: float
) -> x509.Certificate:
    """A certificate below a root that signs leaves and nothing else."""
    builder = _begun(_authority_name(f"intermediate of {trust_domain}"), root.subject, key, now, expires)
    builder = _authority(builder, key, trust_domain, path_length=0).add_extension(_issuer(root), critical=False)
    return builder.sign(root_key, _digest(root_key))


def leaf_certificate(
    issuer: x509.Certificate,
    issuer_key: SigningKey,
    key: PublicKey,
    identity: Identity,
    now: float,
    expires: float,
    hosts: tuple[str, ...] = (),
) -> x509.Certificate:
    """A leaf with exactly one URI name, the identity's; ``hosts`` are DNS names or IP addresses of a listener.

    The subject is empty, so the names are critical (RFC 5280, 4.2.1.6).
    """
    builder = (
        _begun(x509.Name([]), issuer.subject, key, now, expires)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(names_extension(identity.uri, hosts), critical=True)
        .add_extension(_issuer(issuer), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )
    return builder.sign(issuer_key, _digest(issuer_key))


def names_extension(uri: str, hosts: tuple[str, ...]) -> x509.SubjectAlternativeName:
    """One URI and some DNS names or IP addresses."""
    return _names([_uri(uri), *(_host(host) for host in hosts)])


def pem_of(certificate: x509.Certificate) -> str:
    """The certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def key_pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The private key as unencrypted PKCS #8 PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _authority_name(text: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "weft"),
            x509.NameAttribute(NameOID.COMMON_NAME, text[:64]),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, f"{_serial():x}"),
        ]
    )


def _authority(
    builder: x509.CertificateBuilder, key: PublicKey, trust_domain: str, path_length: int
) -> x509.CertificateBuilder:
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(_names([_uri(f"spiffe://{trust_domain}")]), critical=False)
    )


def _digest(key: SigningKey) -> hashes.SHA256 | None:
    """Ed25519 has its own."""
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def _begun(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, now: float, expires: float
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(_serial())
        .not_valid_before(_moment(now - BACKDATED))
        .not_valid_after(_moment(expires))
    )


def _serial() -> int:
    """A random serial of 128 bits: positive, and never as short as a counter's."""
    return secrets.randbits(127) | 1 << 127


def _moment(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _issuer(certificate: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        key = certificate.public_key()
        assert isinstance(key, PublicKey)
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _names(names: list[x509.GeneralName]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(names)


def _uri(uri: str) -> x509.GeneralName:
    return x509.UniformResourceIdentifier(uri)


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
