"""Certificates that others made: read from PEM, and put into the order in which they are believed."""

import re

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from weft.ca.certificates import pem_of
from weft.ca.issuer import end_of, fingerprint_of
from weft.kit.errors import UserError

_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_MOST = 100


def certificates_in(pem: bytes, place: str) -> tuple[x509.Certificate, ...]:
    """The certificates of a PEM, none twice. Raises ``UserError``."""
    blocks = _BLOCK.findall(pem)
    if len(blocks) > _MOST:
        raise UserError(f"{place} has more than {_MOST} certificates")
    try:
        found = [x509.load_pem_x509_certificate(block + b"\n") for block in blocks]
    except (ValueError, UnsupportedAlgorithm) as wrong:
        raise UserError(f"{place} has a certificate that cannot be read ({str(wrong).lower()[:100]})") from wrong
    return tuple({fingerprint_of(one): one for one in found}.values())


def bundle_of(roots: tuple[x509.Certificate, ...]) -> str:
    """Roots as PEM."""
    return "".join(pem_of(root) for root in roots)


def is_self_signed(certificate: x509.Certificate) -> bool:
    """Whether it is a root."""
    return certificate.subject == certificate.issuer and issued(certificate, certificate)


def issued(above: x509.Certificate, below: x509.Certificate) -> bool:
    """Whether ``above`` signed ``below``, by name and by signature."""
    try:
        below.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def may_sign(certificate: x509.Certificate) -> bool:
    """Whether it may sign other certificates."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return False
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return constraints.ca
    return constraints.ca and usage.key_cert_sign


def path_to_root(
    lowest: x509.Certificate, others: tuple[x509.Certificate, ...], roots: tuple[x509.Certificate, ...], now: float
) -> tuple[x509.Certificate, ...] | None:
    """The certificates from ``lowest`` up to one of the roots, this one included; ``None`` if it hangs in the air.

    Each of them signed the one before, may do so, and has not ended.
    """
    path = [lowest]
    while len(path) <= _MOST:
        below = path[-1]
        if any(fingerprint_of(below) == fingerprint_of(root) for root in roots):
            return tuple(path)
        above = next((one for one in (*roots, *others) if one not in path and issued(one, below)), None)
        if above is None or not may_sign(above) or end_of(above) <= now:
            return None
        path.append(above)
    return None
