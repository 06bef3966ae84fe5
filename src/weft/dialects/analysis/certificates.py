"""Whether a Secret holds a certificate that is still good, and the key that belongs to it."""

import base64
import binascii
import warnings
from collections.abc import Mapping

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.utils import CryptographyDeprecationWarning

_PAIRS = (("tls.crt", "tls.key"), ("cert", "key"))
_AUTHORITIES = ("ca.crt", "cacert")
_NO_PAIR = "it has neither tls.crt and tls.key nor cert and key"


def fault_in_pair(data: Mapping[str, str], now: str) -> str:
    """What is wrong with the data of a Secret (base64) at a time (ISO 8601), "" for nothing."""
    pair = next(((data[first], data[second]) for first, second in _PAIRS if first in data and second in data), None)
    if pair is None:
        return "" if any(name in data for name in _AUTHORITIES) else _NO_PAIR
    try:
        certificate, key = (base64.b64decode(one, validate=True) for one in pair)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)  # serial numbers of old tools, as Go's
            read = x509.load_pem_x509_certificate(certificate)
        own = read.public_key()
        other = load_pem_private_key(key, None).public_key()
    except (binascii.Error, ValueError, TypeError, UnsupportedAlgorithm):
        return "one of them cannot be read as PEM"
    if now and read.not_valid_after_utc.isoformat() < now:
        return f"it has expired ({read.not_valid_after_utc:%Y-%m-%d})"
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return "" if own.public_bytes(*form) == other.public_bytes(*form) else "the key belongs to another certificate"
