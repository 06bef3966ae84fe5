"""SPIFFE identities in Istio's shape: ``spiffe://<trust domain>/ns/<namespace>/sa/<service account>``."""

import re

from weft.kit.value import Value

_SEGMENT = re.compile(r"[a-zA-Z0-9._-]+")
_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}")
_SHAPE = re.compile(r"spiffe://([^/]*)/ns/([^/]*)/sa/([^/]*)")
_MAX_URI = 2048


class Identity(Value):
    """Who a workload is."""

    trust_domain: str
    namespace: str
    account: str

    @property
    def uri(self) -> str:
        """The SPIFFE ID."""
        return f"spiffe://{self.trust_domain}/ns/{self.namespace}/sa/{self.account}"

    def __str__(self) -> str:
        return self.uri


def parse_identity(uri: str) -> Identity:
    """Parse a SPIFFE ID of Istio's shape.

    Raises ``ValueError`` for everything else: other schemes, user info, ports, queries, fragments, empty, dot or
    percent-encoded segments, upper-case trust domains, more than 2048 bytes (SPIFFE-ID, sections 2 and 2.3).
    """
    shape = _SHAPE.fullmatch(uri) if len(uri) <= _MAX_URI else None
    if shape is None:
        raise ValueError(f"not a workload's SPIFFE ID: {uri[:200]!r}")
    trust_domain, namespace, account = shape.groups()
    if not _TRUST_DOMAIN.fullmatch(trust_domain):
        raise ValueError(f"not a trust domain: {trust_domain[:200]!r}")
    for segment in (namespace, account):
        if not _SEGMENT.fullmatch(segment) or segment in (".", ".."):
            raise ValueError(f"not a segment of a SPIFFE ID: {segment[:200]!r}")
    return Identity(trust_domain=trust_domain, namespace=namespace, account=account)
