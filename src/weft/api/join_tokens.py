"""Join tokens for the API: made by the authority, listed and revoked by the beginning of their hash."""

from collections.abc import Sequence

import msgspec

from weft.api.weft import JoinToken
from weft.ca.tokens import JoinTokens
from weft.store.source import Store

_BUCKET = "join-tokens"
_SHOWN = 12


class _Grant(msgspec.Struct):
    namespace: str
    account: str
    expires: float


class TokenDesk:
    """What ``weft token`` talks to. A token itself is told once, when it is made."""

    def __init__(self, tokens: JoinTokens, store: Store) -> None:
        self._tokens = tokens
        self._store = store

    async def create(self, namespace: str, account: str, ttl: float) -> str:
        """A new token. Raises ``UserError``."""
        return await self._tokens.create(namespace, account, ttl)

    async def waiting(self) -> Sequence[JoinToken]:
        """Those that were not used and did not expire."""
        return [
            JoinToken(id=record.name[:_SHOWN], **msgspec.structs.asdict(_grant(record.value)))
            for record in await self._store.records(_BUCKET)
        ]

    async def revoke(self, token_id: str) -> bool:
        """Take a token out of the store; its ``id`` must be whole."""
        names = [record.name for record in await self._store.records(_BUCKET)]
        named = [name for name in names if name[:_SHOWN] == token_id]
        return any([await self._store.take_record(_BUCKET, name) for name in named])


def _grant(value: bytes) -> _Grant:
    return msgspec.json.decode(value, type=_Grant)
