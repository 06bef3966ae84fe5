"""Renewal by a workload that was away until its certificate had ended: a host that was off, a control plane that was.

It shows the certificate that ended and asks for a new one for the same key, which its request proves to have. That the
certificate is one of ours says the ledger, whoever has signed it. Only the newest of a line are taken, so an old copy
of a host's files opens nothing.
"""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from weft.ca.csr import LARGEST, PublicKey, key_of
from weft.ca.ledger import Ledger, Line, digest_of
from weft.kit.clock import Clock
from weft.kit.errors import PeerError

DEFAULT_WINDOW = 30 * 86_400.0
LONGEST_WINDOW = 366 * 86_400.0
_NEWEST = 2
"""The last one, and the one before: an answer may have been lost."""


class NotAgain(PeerError):
    """The certificate cannot be renewed; the message says why."""


class LateRenewals:
    """Knows who may come back. ``window`` is the seconds after a certificate's end in which it can be renewed."""

    def __init__(self, ledger: Ledger, clock: Clock, window: float = DEFAULT_WINDOW) -> None:
        self._ledger = ledger
        self._clock = clock
        self._window = window

    def line_of(self, chain: str, csr: bytes) -> tuple[Line, str]:
        """Whose certificate it was, and its digest. Raises ``NotAgain`` and ``BadRequest``."""
        leaf = _leaf(chain)
        if _spki(leaf.public_key()) != _spki(key_of(csr)):
            raise NotAgain("the request is for another key than the certificate's")
        digest = digest_of(chain)
        line = self._ledger.line_of(digest)
        age = self._clock.now() - leaf.not_valid_after_utc.timestamp()
        if age > self._window:
            raise NotAgain(f"the certificate ended {_days(age)} ago, it could be renewed for {_days(self._window)}")
        if line is None or digest not in [one for one, _ in line.certificates[-_NEWEST:]]:
            raise NotAgain("the certificate is not known here, or has been renewed since")
        return line, digest


def _leaf(chain: str) -> x509.Certificate:
    if len(chain) > 4 * LARGEST:
        raise NotAgain("the certificate is too large")
    try:
        return x509.load_pem_x509_certificate(chain.encode("ascii", errors="replace"))
    except (ValueError, UnsupportedAlgorithm) as malformed:
        raise NotAgain("this is no certificate in PEM") from malformed


def _spki(key: object) -> bytes:
    if not isinstance(key, PublicKey):
        raise NotAgain("the certificate has a key of an unknown kind")
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _days(seconds: float) -> str:
    return f"{seconds / 86_400:.0f} days" if seconds >= 2 * 86_400 else f"{seconds / 3600:.1f} hours"
