"""What the authorities of the API's clients took back: revocation lists (RFC 5280, 5), without I/O.

A list that is missing, ended or not signed by its authority says nothing, and then nothing of that authority counts:
the same as OpenSSL's ``CRL_CHECK_ALL``.
"""

from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

_SIGNERS = (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)


class Revocations:
    """Revocation lists, as many as a file has."""

    def __init__(self, lists: Sequence[x509.CertificateRevocationList]) -> None:
        self._lists = tuple(lists)

    def problem(self, certificate: x509.Certificate, issuer: x509.Certificate, now: float) -> str:
        """Why a certificate of an issuer does not count, "" if it does."""
        lists = [one for one in self._lists if one.issuer == issuer.subject and _signed(one, issuer)]
        current = [one for one in lists if _current(one, now)]
        if not current:
            return "the revocation list of the certificate's authority " + ("has ended" if lists else "is missing")
        serial = certificate.serial_number
        if any(one.get_revoked_certificate_by_serial_number(serial) is not None for one in current):
            return "the certificate was revoked"
        return ""


def _current(found: x509.CertificateRevocationList, now: float) -> bool:
    end = found.next_update_utc
    return end is None or now < end.timestamp()


def _signed(found: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    key = issuer.public_key()
    try:
        return isinstance(key, _SIGNERS) and found.is_signature_valid(key)
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
        return False


def revocations_in(pem: bytes) -> Revocations:
    """The lists of a PEM file. Raises ``ValueError``."""
    end = b"-----END X509 CRL-----"
    parts = [part + end for part in pem.split(end)[:-1]]
    if not parts:
        raise ValueError("there is no revocation list")
    return Revocations([x509.load_pem_x509_crl(part) for part in parts])
