"""What a workload was let in by, looked at again whenever its certificate is renewed.

A join token is used up, so nothing is left of it to be looked at; other proofs are judged by the rules of now. Whatever
it was, a namespace that was deleted since, even if there is another one of its name by now, takes everybody with it.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from weft.kit.errors import PeerError
from weft.kit.value import Value
from weft.model.document import Document, Key
from weft.model.identity import Identity


class Ground(Value):
    """``kind`` is that of the proof; the rest is what its rule looked at. ``claims`` is JSON.

    ``namespace`` is the UID of the namespace, "" where nobody had written one.
    """

    kind: str
    issuer: str = ""
    claims: str = ""
    uid: int = 0
    gid: int = 0
    executable: str = ""
    namespace: str = ""


class GroundGone(PeerError):
    """The workload would not be let in today. The message is for who runs the control plane."""


Judge = Callable[[Identity, Ground], None]
"""Whether the rules of now let such a proof in. Raises ``GroundGone``."""


class Documents(Protocol):
    """The part of a store that is needed."""

    async def read(self, key: Key) -> Document | None:
        """One document."""
        ...


class Grounds:
    """Adds to a ground what must stay, and says whether it did."""

    def __init__(self, documents: Documents, judge: Judge) -> None:
        self._documents = documents
        self._judge = judge

    async def noted(self, identity: Identity, ground: Ground) -> Ground:
        """The ground with the namespace as it is now."""
        return msgspec.structs.replace(ground, namespace=await self._namespace(identity))

    async def require(self, identity: Identity, ground: Ground | None) -> None:
        """Raises ``GroundGone``. Those let in before grounds were written down have none, and keep their place."""
        if ground is None:
            return
        if ground.namespace and await self._namespace(identity) != ground.namespace:
            raise GroundGone(f"the namespace {identity.namespace} that it joined was deleted")
        self._judge(identity, ground)

    async def _namespace(self, identity: Identity) -> str:
        document = await self._documents.read(Key(kind="Namespace", name=identity.namespace))
        return document.uid if document is not None else ""
