"""What the rest of weft asks of whoever signs for the mesh: its own authority, files, a token, Vault, another service.

Apart from the kinds, so that the routes, listeners and commands know none of them.
"""

from typing import Protocol

from weft.ca.ending import Ending
from weft.ca.roots import Rotation
from weft.kit.errors import PeerError
from weft.kit.value import Value
from weft.model.identity import Identity


class SignerAway(PeerError):
    """Nothing can be signed now: who asks later may get it. The message says why."""


class NameMissing(SignerAway):
    """The signer takes the identity from the request, which does not name it: the caller may ask again and name it."""

    def __init__(self, uri: str) -> None:
        super().__init__(f"the request must name {uri}")
        self.uri = uri


class Leaf(Value):
    """A signed certificate with what it needs to be believed, in PEM, and its end, in seconds since the epoch."""

    chain: str
    expires: float


class Listener(Value):
    """What a TLS listener of the control plane needs: private key and chain in PEM, and when the chain ends.

    ``renewed``: weft replaces it by itself.
    """

    key: bytes
    chain: bytes
    expires: float
    renewed: bool = True


class Signer(Protocol):
    """Signs for one trust domain. Owned by one event loop."""

    trust_domain: str
    lifetime: float
    """Seconds that a leaf is to live."""

    @property
    def kind(self) -> str:
        """Which it is, as users choose it."""
        ...

    @property
    def bundle(self) -> str:
        """The certificates that everybody is to believe, as PEM."""
        ...

    @property
    def tag(self) -> str:
        """Names what everybody is to believe and who signs: whoever holds another tag needs a new certificate."""
        ...

    @property
    def rotation(self) -> Rotation:
        """How far the replacement of the root is."""
        ...

    def endings(self) -> tuple[Ending, ...]:
        """What it signs with and when that ends."""
        ...

    def listener(self, hosts: tuple[str, ...]) -> Listener:
        """A certificate of the control plane itself, good for ``localhost`` and for ``hosts``."""
        ...

    async def issue(self, request: bytes, identity: Identity) -> Leaf:
        """A leaf for the key of a request (PEM). Raises ``BadRequest`` and ``SignerAway``."""
        ...

    async def look(self) -> bool:
        """See to what must be renewed; whether another bundle is to be believed, or another certificate shown."""
        ...

    async def close(self) -> None:
        """Hang up."""
        ...

    def begin_rotation(self, *, eager: bool) -> None:
        """Make the next root and have it believed. Raises ``UserError``."""
        ...

    def switch_signer(self) -> None:
        """Let the next root sign."""
        ...

    def finish_rotation(self) -> None:
        """Put the next root in the place of the old one."""
        ...

    def abort_rotation(self) -> None:
        """Go back. Raises ``UserError``."""
        ...

    def forget_rotation(self) -> None:
        """Drop the next root."""
        ...
