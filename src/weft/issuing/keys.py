"""Keys of accounts and certificates, and requests for certificates."""

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from weft.issuing.errors import Unissued

_CURVES: dict[int, ec.EllipticCurve] = {256: ec.SECP256R1(), 384: ec.SECP384R1(), 521: ec.SECP521R1()}

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def new_private_key(algorithm: str, size: int) -> PrivateKey:
    """A key for a certificate; ``size`` is bits."""
    if algorithm == "RSA":
        return rsa.generate_private_key(public_exponent=65537, key_size=size)
    return ec.generate_private_key(_CURVES[size])


def pem_of_key(key: PrivateKey) -> bytes:
    """PKCS8, in plaintext."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def account_key(pem: bytes) -> PrivateKey:
    """The key of an account. Raises ``Unissued``."""
    try:
        key = load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError):
        raise Unissued("the secret of the account holds no private key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise Unissued("the key of the account is neither RSA nor ECDSA")
    return key


def signing_request(key: PrivateKey, names: tuple[str, ...]) -> bytes:
    """A request in PEM for some DNS names; the subject is left to the authority."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
