"""What a control plane has for SPIFFE beside certificates: token keys, the bundle, and their upkeep."""

import asyncio
from pathlib import Path

from starlette.routing import BaseRoute

from weft.ca.jwt_keys import JwtKeys
from weft.ca.jwt_svid import JwtAuthority
from weft.ca.signer import Signer
from weft.ca.spiffe_bundle import SpiffeBundle
from weft.ca.spiffe_routes import spiffe_routes
from weft.kit.clock import Clock
from weft.kit.sealing import Keyring
from weft.model.audit import Auditor

_LOOK_SECONDS = 600.0


class Spiffe:
    """The parts, of one authority's directory. Raises ``UserError`` when its files do not open."""

    def __init__(self, directory: Path, keyring: Keyring, signer: Signer, clock: Clock) -> None:
        self._keys = JwtKeys(directory, keyring, clock)
        self._bundle = SpiffeBundle(directory, self._keys)
        self._signer = signer
        self._clock = clock

    def routes(self, auditor: Auditor) -> tuple[BaseRoute, ...]:
        """For the agents' port."""
        domain = self._signer.trust_domain
        jwt = JwtAuthority(self._keys, domain, self._clock)
        return spiffe_routes(jwt, self._bundle, lambda: self._signer.bundle, domain, self._clock, auditor)

    async def keep(self) -> None:
        """Replace keys that are due, for ever."""
        while True:
            self._keys.look()
            await asyncio.sleep(_LOOK_SECONDS)
