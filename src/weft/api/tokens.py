"""API tokens: credentials of people and programs, each of a user, with an end and with limits.

A token is 256 random bits; only its SHA-256 is stored, so a backup or a reader of the database can ask nothing. It is
looked up for every request, so one that was revoked is refused at once, and watches it began end within seconds.
"""

import hashlib
import math
import re
import secrets
from collections.abc import Sequence

import msgspec

from weft.api.permissions import Scope
from weft.api.subjects import Subject, is_name
from weft.kit.clock import Clock
from weft.kit.errors import UserError
from weft.kit.value import Value
from weft.model.record import Record
from weft.store.source import Store

PREFIX = "weft_api_"
DEFAULT_TTL = 30 * 86_400.0
LONGEST_TTL = 366 * 86_400.0
_BUCKET = "api-tokens"
_SHOWN = 12
"""How much of a token's hash is its id."""
_TOKEN = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}")


class ApiToken(Value):
    """A token, without the token. ``id`` is the beginning of its hash; times are seconds since the epoch.

    ``parent`` is the id of the token that it was created with, if it was one: it ends when that one does.
    """

    id: str
    user: str
    groups: tuple[str, ...]
    scope: Scope
    created: float
    expires: float
    created_by: str = ""
    parent: str = ""


class ApiTokens:
    """Makes tokens, knows whose they are, and takes them back."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, subject: Subject, ttl: float, by: str) -> tuple[str, ApiToken]:
        """A new token of a subject for ``ttl`` seconds; it is told this once. Raises ``UserError``.

        ``subject.credential`` is the token that creates it: who has stolen that one has it no longer than that one.
        """
        if not 0 < ttl <= LONGEST_TTL:
            raise UserError(f"an API token cannot live for {ttl:g} seconds", help="at most 366 days")
        for name in (subject.name, *subject.groups):
            if not is_name(name):
                raise UserError(f"{name[:80]!r} cannot be a user or a group", help="use 1 to 253 characters, no spaces")
        token = PREFIX + secrets.token_urlsafe(32)
        now = self._clock.now()
        expires = min(now + ttl, await self._end_of(subject.credential))
        digest = _digest(token)
        told = ApiToken(
            id=digest[:_SHOWN],
            user=subject.name,
            groups=subject.groups,
            scope=subject.scope,
            created=now,
            expires=expires,
            created_by=by,
            parent=subject.credential,
        )
        record = Record(bucket=_BUCKET, name=digest, value=msgspec.json.encode(told), expires=told.expires)
        await self._store.put_record(record)
        return token, told

    async def subject(self, token: str) -> Subject | None:
        """Whose token this is, ``None`` when it is no token, has ended or was revoked."""
        if not _TOKEN.fullmatch(token):
            return None
        record = await self._store.read_record(_BUCKET, _digest(token))
        if record is None:
            return None
        known = msgspec.json.decode(record.value, type=ApiToken)
        if known.expires <= self._clock.now():
            return None
        return Subject(name=known.user, groups=known.groups, scope=known.scope, credential=known.id)

    async def all(self) -> Sequence[ApiToken]:
        """Every token that still holds, the one that ends first first."""
        now = self._clock.now()
        records = await self._store.records(_BUCKET)
        known = (msgspec.json.decode(record.value, type=ApiToken) for record in records)
        return sorted((token for token in known if token.expires > now), key=lambda token: (token.expires, token.id))

    async def revoke(self, token_id: str) -> ApiToken | None:
        """Make a token useless from now on, and those created with it; what it was, ``None`` when there is none."""
        if len(token_id) < _SHOWN:
            return None
        for record in await self._store.records(_BUCKET):
            if record.name.startswith(token_id):
                taken = await self._store.take_record(_BUCKET, record.name)
                await self._revoke_those_of(record.name[:_SHOWN])
                return msgspec.json.decode(taken.value, type=ApiToken) if taken else None
        return None

    async def _revoke_those_of(self, parent: str) -> None:
        for record in await self._store.records(_BUCKET):
            if msgspec.json.decode(record.value, type=ApiToken).parent == parent:
                await self._store.take_record(_BUCKET, record.name)
                await self._revoke_those_of(record.name[:_SHOWN])

    async def _end_of(self, token_id: str) -> float:
        """When a token ends: one that was revoked meanwhile has ended, what is none never does."""
        known = (one.expires for one in await self.all() if one.id == token_id)
        return next(known, 0.0) if token_id else math.inf


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
