"""The agents' listener: HTTPS with the authority's own certificate, which is renewed while it serves."""

import ssl
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from weft.ca.authority import Authority
from weft.ca.peer import PeerProtocol
from weft.ca.server_certificate import ServerCertificate, server_context
from weft.kit.clock import Clock


class AgentListener(ServerCertificate):
    """A TLS context for ``hosts`` that asks for a client certificate and takes none but the mesh's."""

    def __init__(self, authority: Authority, hosts: tuple[str, ...], clock: Clock) -> None:
        super().__init__(authority, hosts, clock, _context(authority.bundle))

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
