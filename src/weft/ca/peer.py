"""Who is at the other end of a TLS connection, for ASGI applications.

uvicorn does not tell an application the client's certificate, so a protocol class of our own reads it once for each
connection. OpenSSL has verified it against the mesh's root by then (``CERT_OPTIONAL``: none, or a good one).
"""

import asyncio
import hashlib
import ssl
from collections.abc import Callable
from typing import Any

from weft.kit.careful_http import CarefulProtocol
from weft.kit.value import Value
from weft.model.identity import Identity, parse_identity


class Shown(Value):
    """A certificate that was shown: the SHA-256 of its DER in hexadecimal, and its end in seconds since the epoch."""

    digest: str
    expires: float


class PeerProtocol(CarefulProtocol):
    """HTTP/1.1 that puts the peer's ``Identity`` in ``scope["extensions"]["tls"]["peer"]`` (``None`` without one)."""

    _peer: Identity | None = None
    _shown: Shown | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Read the certificate of a new connection."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self._peer, self._shown = peer_of(tls.getpeercert()), _shown(tls)

    def on_message_begin(self) -> None:
        """Add the identity to the scope of each request."""
        super().on_message_begin()
        self.scope["extensions"] = {"tls": {"peer": self._peer, "shown": self._shown}}


def _shown(tls: Any) -> Shown | None:
    certificate = tls.getpeercert(binary_form=True)
    if not certificate:
        return None
    expires = float(ssl.cert_time_to_seconds(tls.getpeercert()["notAfter"]))
    return Shown(digest=hashlib.sha256(certificate).hexdigest(), expires=expires)


def peer_of(certificate: Any) -> Identity | None:
    """The identity in a verified certificate as ``ssl`` describes it: its only URI name, or ``None``.

    A certificate with more than one URI name is nobody's (SPIFFE X509-SVID, 2).
    """
    names = (certificate or {}).get("subjectAltName", ())
    uris = [value for kind, value in names if kind == "URI"]
    if len(uris) != 1:
        return None
    try:
        return parse_identity(uris[0])
    except ValueError:
        return None


def caller(scope: Any) -> Identity | None:
    """The peer of a request's connection."""
    peer = scope.get("extensions", {}).get("tls", {}).get("peer")
    return peer if isinstance(peer, Identity) else None


def shown(scope: Any) -> Shown | None:
    """The certificate of a request's connection."""
    found = scope.get("extensions", {}).get("tls", {}).get("shown")
    return found if isinstance(found, Shown) else None


def member_of(trust_domain: str) -> Callable[[Any], Identity | None]:
    """The peer of a request's connection, if it is a workload of this trust domain: another one's authority may be
    believed too, and speaks for its own alone."""

    def member(scope: Any) -> Identity | None:
        peer = caller(scope)
        return peer if peer is not None and peer.trust_domain == trust_domain else None

    return member
