"""The API's listener: HTTPS that also knows clients by certificates, of the mesh and of the operator's authorities."""

import asyncio
import ssl
from collections.abc import Callable

from weft.api.certificates import shown_by
from weft.api.subjects import Shown
from weft.ca.listener import AgentListener
from weft.ca.signer import Signer
from weft.kit.careful_http import CarefulProtocol
from weft.kit.clock import Clock


class ApiListener(AgentListener):
    """A TLS context that asks for a client certificate and takes none but those of known roots.

    ``clients`` are the operator's own authorities, as PEM, "" for none.
    """

    def __init__(self, authority: Signer, hosts: tuple[str, ...], clock: Clock, clients: Callable[[], str]) -> None:
        self._clients = clients
        super().__init__(authority, hosts, clock)

    def _newest(self) -> ssl.SSLContext:
        inner = super()._newest()
        clients = self._clients()
        if clients:
            inner.load_verify_locations(cadata=clients)
        return inner


class CertificateProtocol(CarefulProtocol):
    """HTTP/1.1 that puts what the client has shown in ``scope["extensions"]["tls"]["certificate"]``."""

    _shown: Shown | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Read the certificate of a new connection."""
        super().connection_made(transport)
        self._shown = shown_by(transport.get_extra_info("ssl_object"))

    def on_message_begin(self) -> None:
        """Add it to the scope of each request."""
        super().on_message_begin()
        self.scope["extensions"] = {"tls": {"certificate": self._shown}}
