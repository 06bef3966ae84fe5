"""Certificates as credentials of the API: whom a client's certificate names, and whether it still counts.

Kubernetes' words for those of the operator's own authorities (``--client-ca-file``): the common name is the user, the
organisations are the groups. A certificate of the mesh is its workload's, and names the account. Which it is depends on
the root that OpenSSL verified it against, never on what the certificate says of itself.
"""

import hashlib
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID

from weft.api.revocations import Revocations
from weft.api.subjects import Shown, Subject, is_name
from weft.kit.clock import Clock
from weft.kit.errors import WeftError
from weft.kit.value import Value
from weft.model.identity import Identity, parse_identity

_MOST_GROUPS = 100


class BadCertificate(WeftError):
    """A certificate that names nobody, or does not count any more; the message says why."""


class Trusted(Value):
    """The roots that count now, as DER: of the operator's clients, and of the mesh; and what clients' CAs took back."""

    clients: tuple[bytes, ...] = ()
    mesh: tuple[bytes, ...] = ()
    revocations: Revocations | None = None


class Certificates:
    """Tells whose a certificate is. ``trusted`` is asked each time, so what was replaced counts no more."""

    def __init__(
        self,
        trusted: Callable[[], Trusted],
        trust_domain: str,
        clock: Clock,
        account: Callable[[Identity], Subject],
        barred: Callable[[Identity, str], bool] = lambda identity, digest: False,
    ) -> None:
        """``barred`` says whether an account, or its certificate by the SHA-256 of its DER, was revoked."""
        self._barred = barred
        self._trusted = trusted
        self._trust_domain = trust_domain
        self._clock = clock
        self._account = account

    def subject(self, shown: Shown) -> Subject:
        """Whose it is. Raises ``BadCertificate``."""
        trusted = self._trusted()
        chain = [x509.load_der_x509_certificate(one) for one in shown.chain]
        now = self._clock.now()
        for certificate in chain:
            if not certificate.not_valid_before_utc.timestamp() <= now < certificate.not_valid_after_utc.timestamp():
                raise BadCertificate("the certificate has ended")
        root = shown.chain[-1]
        if root in trusted.mesh:
            return self._workload(chain[0], hashlib.sha256(shown.chain[0]).hexdigest())
        if root not in trusted.clients:
            raise BadCertificate("the certificate's root is not trusted any more")
        _refuse_revoked(chain, trusted.revocations, now)
        return _person(chain[0])

    def _workload(self, leaf: x509.Certificate, digest: str) -> Subject:
        identity = _identity(leaf)
        if identity is None or identity.trust_domain != self._trust_domain:
            raise BadCertificate("the certificate names no account of this mesh")
        if self._barred(identity, digest):
            raise BadCertificate("the certificate was revoked")
        return self._account(identity)


def _refuse_revoked(chain: Sequence[x509.Certificate], revocations: Revocations | None, now: float) -> None:
    if revocations is None:
        return
    for certificate, issuer in pairwise(chain):
        problem = revocations.problem(certificate, issuer, now)
        if problem:
            raise BadCertificate(problem)


def _person(leaf: x509.Certificate) -> Subject:
    names = _texts(leaf, NameOID.COMMON_NAME)
    groups = _texts(leaf, NameOID.ORGANIZATION_NAME)
    if len(names) != 1 or not is_name(names[0]):
        raise BadCertificate("the certificate has no common name that can be a user's")
    if len(groups) > _MOST_GROUPS or not all(is_name(group) for group in groups):
        raise BadCertificate("the certificate has an organisation that cannot be a group")
    return Subject(name=names[0], groups=tuple(dict.fromkeys(groups)))


def _texts(leaf: x509.Certificate, name: x509.ObjectIdentifier) -> list[str]:
    return [str(attribute.value) for attribute in leaf.subject.get_attributes_for_oid(name)]


def _identity(leaf: x509.Certificate) -> Identity | None:
    """The identity of a certificate's only URI name (SPIFFE X509-SVID, 2)."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        (uri,) = names.get_values_for_type(x509.UniformResourceIdentifier)
        return parse_identity(uri)
    except (x509.ExtensionNotFound, ValueError):
        return None


def shown_by(connection: Any) -> Shown | None:
    """What the client of a TLS connection has shown, ``None`` if nothing."""
    if connection is None or not connection.getpeercert(binary_form=True):
        return None
    return Shown(chain=tuple(_verified_chain(connection)))


def _verified_chain(connection: Any) -> list[bytes]:
    if hasattr(connection, "get_verified_chain"):  # since Python 3.13
        return list(connection.get_verified_chain())
    import _ssl

    return [one.public_bytes(_ssl.ENCODING_DER) for one in connection._sslobj.get_verified_chain()]
