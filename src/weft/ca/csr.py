"""What a certificate request may be: only its public key is believed, and only after the request proved its possession.

Names, extensions and attributes of the request are never read: the certificate says who the *caller* is.
"""

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from weft.kit.errors import PeerError

LARGEST = 16 * 1024
_RSA_BITS = range(2048, 4097)
_RSA_EXPONENTS = range(3, 2**32)
_CURVES = (ec.SECP256R1, ec.SECP384R1)
_DIGESTS = (hashes.SHA256, hashes.SHA384, hashes.SHA512)

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


class BadRequest(PeerError):
    """The certificate request cannot be signed; the message says why and names nothing but the request."""


def key_of(pem: bytes) -> PublicKey:
    """The public key of a PKCS #10 request in PEM, once the request is proved to come from the key's owner.

    Raises ``BadRequest``.
    """
    request = _parse(pem)
    try:
        key = _allowed(request.public_key())
        digest = request.signature_hash_algorithm
        if digest is not None and not isinstance(digest, _DIGESTS):
            raise BadRequest("the certificate request is signed with a digest that is too weak")
        valid = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature) as odd:
        raise BadRequest("the certificate request has a key or signature of an unknown kind") from odd
    if not valid:
        raise BadRequest("the certificate request is not signed by its own key")
    return key


def uris_in(pem: bytes) -> list[str]:
    """The URI names of a request, for signers elsewhere that read them; nobody else does. Raises ``BadRequest``.

    A request that names anything else beside them has none.
    """
    try:
        names = _parse(pem).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    return uris if len(uris) == len(list(names)) else []


def _parse(pem: bytes) -> x509.CertificateSigningRequest:
    if len(pem) > LARGEST:
        raise BadRequest(f"the certificate request is larger than {LARGEST} bytes")
    try:
        return x509.load_pem_x509_csr(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm) as malformed:
        raise BadRequest("this is not a certificate request in PEM") from malformed


def _allowed(key: object) -> PublicKey:
    """The key, if it is of a kind that peers verify quickly and that is strong enough."""
    match key:
        case ec.EllipticCurvePublicKey() if isinstance(key.curve, _CURVES):
            return key
        case ed25519.Ed25519PublicKey():
            return key
        case rsa.RSAPublicKey() if key.key_size in _RSA_BITS and _sound(key.public_numbers().e):
            return key
    raise BadRequest("the key must be ECDSA P-256 or P-384, Ed25519, or RSA with 2048 to 4096 bits")


def _sound(exponent: int) -> bool:
    return exponent % 2 == 1 and exponent in _RSA_EXPONENTS
