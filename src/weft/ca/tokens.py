"""Join tokens: how a workload proves itself once, before it has a certificate.

A token is 256 random bits. Only its SHA-256 is stored, so a backup or a reader of the database can join nothing; a
token that was used is gone from the store in the same step, so of many users at once exactly one joins.
"""

import hashlib
import re
import secrets
from typing import Protocol

import msgspec

from weft.ca.names import CONTROL_PLANE_NAMESPACE, TOKEN_PREFIX
from weft.kit.clock import Clock
from weft.kit.errors import UserError
from weft.kit.value import Value
from weft.model.identity import Identity, parse_identity
from weft.model.record import Record

DEFAULT_TTL = 600.0
LONGEST_TTL = 7 * 86400.0
_BUCKET = "join-tokens"
_SHOWN = 12
"""How much of a token's hash is its id."""
_TOKEN = re.compile(TOKEN_PREFIX + r"[A-Za-z0-9_-]{43}")


class Records(Protocol):
    """The part of a store that tokens need."""

    async def put_record(self, record: Record) -> None:
        """Write or overwrite a record."""
        ...

    async def take_record(self, bucket: str, name: str) -> Record | None:
        """Read and remove a record in one step."""
        ...

    async def records(self, bucket: str) -> tuple[Record, ...]:
        """Every record of a bucket, by name."""
        ...


class _Grant(Value):
    namespace: str
    account: str
    expires: float


class WaitingToken(Value):
    """A token that nobody used yet. ``id`` is the beginning of its hash; ``expires`` is seconds since the epoch."""

    id: str
    namespace: str
    account: str
    expires: float


class JoinTokens:
    """Makes tokens and takes them back once."""

    def __init__(self, store: Records, clock: Clock, trust_domain: str = "cluster.local") -> None:
        self._store = store
        self._clock = clock
        self._trust_domain = trust_domain

    async def create(self, namespace: str, account: str, ttl: float = DEFAULT_TTL) -> str:
        """A token that lets one workload join as this account within ``ttl`` seconds. Raises ``UserError``."""
        identity = self._identity(namespace, account)
        if not 0 < ttl <= LONGEST_TTL:
            raise UserError(
                f"a join token cannot live for {ttl:g} seconds", help=f"at most {LONGEST_TTL / 86400:g} days"
            )
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        expires = self._clock.now() + ttl
        grant = _Grant(namespace=identity.namespace, account=identity.account, expires=expires)
        await self._store.put_record(
            Record(bucket=_BUCKET, name=_digest(token), value=msgspec.json.encode(grant), expires=expires)
        )
        return token

    async def consume(self, token: str) -> Identity | None:
        """Who the bearer joins as; ``None`` when the token is unknown, used or expired. It works once."""
        if not _TOKEN.fullmatch(token):
            return None
        record = await self._store.take_record(_BUCKET, _digest(token))
        if record is None:
            return None
        grant = msgspec.json.decode(record.value, type=_Grant)
        if grant.expires <= self._clock.now():
            return None
        return self._identity(grant.namespace, grant.account)

    async def waiting(self) -> tuple[WaitingToken, ...]:
        """Those that were neither used nor revoked and have not expired."""
        return tuple(_waiting(record) for record in await self._store.records(_BUCKET))

    async def revoke(self, token_id: str) -> bool:
        """Make a token useless, by its whole ``id``; whether there was one."""
        names = [record.name for record in await self._store.records(_BUCKET) if _id(record) == token_id]
        return any([await self._store.take_record(_BUCKET, name) for name in names])

    def _identity(self, namespace: str, account: str) -> Identity:
        if namespace == CONTROL_PLANE_NAMESPACE:
            raise UserError(f"no workload joins in {namespace}", help="that namespace is the control plane's own")
        try:
            return parse_identity(f"spiffe://{self._trust_domain}/ns/{namespace}/sa/{account}")
        except ValueError as odd:
            raise UserError(
                f"namespace {namespace[:80]!r} and account {account[:80]!r} make no SPIFFE ID",
                help="use letters, digits, dots, dashes and underscores",
            ) from odd


def _waiting(record: Record) -> WaitingToken:
    grant = msgspec.json.decode(record.value, type=_Grant)
    return WaitingToken(id=_id(record), namespace=grant.namespace, account=grant.account, expires=grant.expires)


def _id(record: Record) -> str:
    return record.name[:_SHOWN]


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("ascii")).hexdigest()
