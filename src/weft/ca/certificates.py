"""How the mesh's certificates look (SPIFFE X509-SVID, sections 2 to 5), and nothing of who gets one."""

import datetime
import ipaddress
import secrets

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from weft.ca.csr import PublicKey
from weft.model.identity import Identity

BACKDATED = 120.0
_ROOT_LIFETIME = 10 * 365.25 * 86400


def root_certificate(key: ec.EllipticCurvePrivateKey, trust_domain: str, now: float) -> x509.Certificate:
    """A self-signed root for ten years; its own name is the trust domain (SPIFFE: an authority may have one)."""
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "weft"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"root of {trust_domain}"[:64]),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, f"{_serial():x}"),
        ]
    )
    public = key.public_key()
    builder = (
        _begun(name, name, public, now, now + _ROOT_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(_names([_uri(f"spiffe://{trust_domain}")]), critical=False)
    )
    return builder.sign(key, hashes.SHA256())


def leaf_certificate(
    root: x509.Certificate,
    root_key: ec.EllipticCurvePrivateKey,
    key: PublicKey,
    identity: Identity,
    now: float,
    expires: float,
    hosts: tuple[str, ...] = (),
) -> x509.Certificate:
    """A leaf with exactly one URI name, the identity's; ``hosts`` are DNS names or IP addresses of a listener.

    The subject is empty, so the names are critical (RFC 5280, 4.2.1.6).
    """
    names = [_uri(identity.uri), *(_host(host) for host in hosts)]
    builder = (
        _begun(x509.Name([]), root.subject, key, now, expires)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(_names(names), critical=True)
        .add_extension(_issuer(root), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )
    return builder.sign(root_key, hashes.SHA256())


def pem_of(certificate: x509.Certificate) -> str:
    """The certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def key_pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The private key as unencrypted PKCS #8 PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


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


def _issuer(root: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
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
