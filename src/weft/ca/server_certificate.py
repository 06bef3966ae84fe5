"""The certificates of the control plane's own listeners: signed by its authority, renewed at half life."""

import asyncio
import ssl
import tempfile
from pathlib import Path

import structlog

from weft.ca.signer import Signer, SignerAway
from weft.kit.clock import Clock

_LONGEST_NAP = 3600.0
_SHORTEST_NAP = 1.0
_log = structlog.get_logger()


class ServerCertificate:
    """A key and chain for ``hosts``, always fresh in ``context``, and as PEM in ``current``."""

    def __init__(self, authority: Signer, hosts: tuple[str, ...], clock: Clock, context: ssl.SSLContext) -> None:
        self._authority = authority
        self._hosts = hosts
        self._clock = clock
        self.context = context
        self._take()

    def renew(self) -> None:
        """Take a new certificate; connections that are open keep the one they have.

        While nothing can be signed the old one goes on, and it is tried again when half of what is left is over.
        """
        try:
            self._take()
        except SignerAway as away:
            _log.warning("the control plane's own certificate could not be renewed", reason=str(away))
            now = self._clock.now()
            self._renew_at = now + max((self.current.expires - now) / 2, _SHORTEST_NAP)

    def _take(self) -> None:
        self.current = self._authority.listener(self._hosts)
        load_pem(self.context, self.current.key + self.current.chain)
        now = self.since = self._clock.now()
        self._renew_at = now + (self.current.expires - now) / 2

    async def keep_fresh(self) -> None:
        """Renew at half life, for ever. Looks at least once an hour, because machines sleep."""
        while True:
            await asyncio.sleep(min(max(self._renew_at - self._clock.now(), _SHORTEST_NAP), _LONGEST_NAP))
            if self._clock.now() >= self._renew_at:
                self.renew()


def server_context() -> ssl.SSLContext:
    """TLS for HTTP servers that ask for no client certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def load_pem(context: ssl.SSLContext, pem: bytes) -> None:
    """``ssl`` loads keys from files only, so it is one for a moment, readable by us alone."""
    with tempfile.TemporaryDirectory(prefix="weft-") as directory:
        file = Path(directory) / "listener.pem"
        file.touch(mode=0o600)
        file.write_bytes(pem)
        context.load_cert_chain(file)
