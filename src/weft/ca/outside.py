"""What all signers share whose root is not weft's: it is replaced where it belongs, and weft follows."""

import hashlib

from weft.ca.roots import Rotation
from weft.kit.errors import UserError


class Outside:
    """The half of a ``Signer`` that has no root to replace."""

    owner = "elsewhere"
    """Where the root is replaced, for people."""

    @property
    def bundle(self) -> str:
        """The certificates that everybody is to believe, as PEM."""
        raise NotImplementedError

    @property
    def signing_root(self) -> str:
        """Names the root of what is signed now, "" where that is not known: a new one is a reason to renew."""
        return ""

    @property
    def tag(self) -> str:
        """Names what everybody is to believe, and what signs."""
        return hashlib.sha256((self.bundle + self.signing_root).encode()).hexdigest()[:16]

    @property
    def rotation(self) -> Rotation:
        """Never under way."""
        return Rotation()

    async def close(self) -> None:
        """Nothing is open."""

    def begin_rotation(self, *, eager: bool) -> None:
        """Refused: raises ``UserError``."""
        raise UserError(
            f"the root is not weft's to replace: it belongs to {self.owner}",
            help="let both roots be believed there, then change who signs, then drop the old one",
        )

    def abort_rotation(self) -> None:
        """Refused: raises ``UserError``."""
        raise UserError("there is nothing to take back", help="see weft ca status")

    def switch_signer(self) -> None:
        """Nothing to do."""

    finish_rotation = forget_rotation = switch_signer
