"""The agents' listener: HTTPS with the authority's own certificate, which is renewed while it serves."""

import asyncio
import ssl
import tempfile
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from weft.ca.authority import Authority
from weft.ca.peer import PeerProtocol
from weft.kit.clock import Clock

_LONGEST_NAP = 3600.0


class AgentListener:
    """A TLS context for ``hosts`` that asks for a client certificate and takes none but the mesh's."""

    def __init__(self, authority: Authority, hosts: tuple[str, ...], clock: Clock) -> None:
        self._authority = authority
        self._hosts = hosts
        self._clock = clock
        self._renew_at = 0.0
        self.context = _context(authority.bundle)
        self.renew()

    def renew(self) -> None:
        """Take a new certificate; connections that are open keep the one they have."""
        listener = self._authority.listener(self._hosts)
        _load(self.context, listener.key + listener.chain)
        now = self._clock.now()
        self._renew_at = now + (listener.expires - now) / 2

    async def keep_fresh(self) -> None:
        """Renew at half life, for ever."""
        while True:
            await asyncio.sleep(min(max(self._renew_at - self._clock.now(), 1.0), _LONGEST_NAP))
            if self._clock.now() >= self._renew_at:
                self.renew()

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
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=bundle)
    # A resumed session would skip the check of the client's certificate against a root that was replaced.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    return context


def _load(context: ssl.SSLContext, pem: bytes) -> None:
    """Load a key and chain; ``ssl`` reads files only, so they are one for a moment, readable by us alone."""
    with tempfile.TemporaryDirectory(prefix="weft-") as directory:
        file = Path(directory) / "listener.pem"
        file.touch(mode=0o600)
        file.write_bytes(pem)
        context.load_cert_chain(file)
