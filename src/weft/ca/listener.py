"""The agents' listener: HTTPS with the authority's own certificate, which is renewed while it serves."""

import ssl
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from weft.ca.peer import PeerProtocol
from weft.ca.server_certificate import ServerCertificate, load_pem, server_context
from weft.ca.signer import Signer
from weft.kit.clock import Clock


class AgentListener(ServerCertificate):
    """A TLS context for ``hosts`` that asks for a client certificate and takes none but the mesh's.

    OpenSSL forgets no root that a context has believed, so every renewal makes a new context; the one that uvicorn has
    hands each new connection over to it.
    """

    def __init__(self, authority: Signer, hosts: tuple[str, ...], clock: Clock) -> None:
        super().__init__(authority, hosts, clock, _context(authority.bundle))
        self._inner = self._newest()
        self.context.sni_callback = self._hand_over

    def renew(self) -> None:
        """Take a new certificate, and believe what the authority believes now."""
        super().renew()
        self._inner = self._newest()

    def _newest(self) -> ssl.SSLContext:
        inner = _context(self._authority.bundle)
        load_pem(inner, self.current.key + self.current.chain)
        return inner

    def _hand_over(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        del name, context
        connection.context = self._inner

    def server(self, app: ASGIApp, host: str, port: int) -> uvicorn.Server:
        """A server for the agents' routes; ``await server.serve(sockets)`` belongs to the caller."""
        return uvicorn.Server(self.config(app, host, port))

    def config(self, app: ASGIApp, host: str, port: int) -> uvicorn.Config:
        """uvicorn's settings: idle connections outlive several heartbeats, and nothing tells the server's name."""

        def context(config: Any, default: Any) -> ssl.SSLContext:
            return self.context

        return uvicorn.Config(
            app,
            host=host,
            port=port,
            http=PeerProtocol,
            ws="none",
            lifespan="off",
            ssl_context_factory=context,
            timeout_keep_alive=30,
            h11_max_incomplete_event_size=64 * 1024,
            limit_concurrency=2000,
            backlog=4096,
            log_config=None,
            log_level="error",  # see weft.api.https
            access_log=False,
            server_header=False,
            date_header=False,
        )


def _context(bundle: str) -> ssl.SSLContext:
    context = server_context()
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=bundle)
    # A resumed session would skip the check of the client's certificate against a root that was replaced.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    return context
