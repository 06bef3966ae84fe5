"""Who is at the other end of a TLS connection, for ASGI applications.

uvicorn does not tell an application the client's certificate, so a protocol class of our own reads it once for each
connection. OpenSSL has verified it against the mesh's root by then (``CERT_OPTIONAL``: none, or a good one).
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from weft.model.identity import Identity, parse_identity


class PeerProtocol(HttpToolsProtocol):
    """HTTP/1.1 that puts the peer's ``Identity`` in ``scope["extensions"]["tls"]["peer"]`` (``None`` without one)."""

    _peer: Identity | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Read the certificate of a new connection."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        self._peer = peer_of(tls.getpeercert()) if tls is not None else None

    def on_message_begin(self) -> None:
        """Add the identity to the scope of each request."""
        super().on_message_begin()
        self.scope["extensions"] = {"tls": {"peer": self._peer}}


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
