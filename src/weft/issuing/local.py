"""Certificates that are signed here: by a key pair in a Secret (``ca``), or by their own keys (``selfSigned``)."""

import datetime
import secrets

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

from weft.issuing.errors import Unissued
from weft.issuing.keys import PrivateKey
from weft.model.issuing import Order

LIFETIME = 90 * 86400
_BACKDATED = 120
_LONGEST_NAME = 64

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


class Pair:
    """An authority: its key and its certificates, its own first, then those above."""

    def __init__(self, key: SigningKey, certificates: tuple[x509.Certificate, ...]) -> None:
        self.key = key
        self.certificates = certificates


def pair_of(chain: bytes, key: bytes, place: str) -> Pair:
    """The authority in a Secret. Raises ``Unissued``."""
    try:
        certificates = tuple(x509.load_pem_x509_certificates(chain))
        found = load_pem_private_key(key, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Unissued(f"{place} holds no certificate and key of an authority in PEM") from None
    if not isinstance(found, SigningKey) or found.public_key() != certificates[0].public_key():
        raise Unissued(f"the key in {place} is not that of its certificate")
    try:
        may_sign = certificates[0].extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        may_sign = False
    if not may_sign:
        raise Unissued(f"the certificate in {place} may not sign others")
    return Pair(found, certificates)


def signed(order: Order, key: PrivateKey, by: Pair | None, now: float) -> tuple[bytes, bytes]:
    """The chain of an order's new certificate and the authority's own, as PEM. Raises ``Unissued``.

    Without ``by`` it is signed by its own key. It never outlives the authority.
    """
    subject = _subject(order)
    issuer = by.certificates[0] if by is not None else None
    end = datetime.datetime.fromtimestamp(int(now) + (order.duration or LIFETIME), datetime.UTC)
    if issuer is not None:
        if issuer.not_valid_after_utc.timestamp() <= now:
            raise Unissued("the certificate of the authority has ended")
        end = min(end, issuer.not_valid_after_utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer is not None else subject)
        .public_key(key.public_key())
        .serial_number(secrets.randbits(127) | 1 << 127)
        .not_valid_before(datetime.datetime.fromtimestamp(int(now) - _BACKDATED, datetime.UTC))
        .not_valid_after(end)
    )
    signer = by.key if by is not None else key
    digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    made = _extended(builder, order, key, issuer).sign(signer, digest)
    above = by.certificates if by is not None else (made,)
    sent = (made, *(one for one in above if one.subject != one.issuer))
    return b"".join(one.public_bytes(Encoding.PEM) for one in sent), above[-1].public_bytes(Encoding.PEM)


def _subject(order: Order) -> x509.Name:
    """An authority needs a name, which others are found by; a leaf's names are elsewhere."""
    if not order.authority:
        return x509.Name([])
    name = (order.common_name or (order.names[0] if order.names else order.secret.name))[:_LONGEST_NAME]
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _extended(
    builder: x509.CertificateBuilder, order: Order, key: PrivateKey, issuer: x509.Certificate | None
) -> x509.CertificateBuilder:
    public = key.public_key()
    builder = (
        builder.add_extension(x509.BasicConstraints(ca=order.authority, path_length=None), critical=True)
        .add_extension(_usage(order, rsa_key=isinstance(key, rsa.RSAPrivateKey)), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )
    if issuer is not None:
        above = issuer.public_key()
        assert isinstance(above, ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey)
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above), critical=False)
    if order.names:
        names = x509.SubjectAlternativeName([x509.DNSName(name) for name in order.names])
        builder = builder.add_extension(names, critical=not order.authority)
    if not order.authority:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([x509.OID_SERVER_AUTH, x509.OID_CLIENT_AUTH]), critical=False
        )
    return builder


def _usage(order: Order, *, rsa_key: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not order.authority,
        content_commitment=False,
        key_encipherment=rsa_key and not order.authority,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=order.authority,
        crl_sign=order.authority,
        encipher_only=False,
        decipher_only=False,
    )
