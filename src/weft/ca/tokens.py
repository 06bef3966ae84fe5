"""Join tokens: how a workload proves itself once, before it has a certificate.

A token is 256 random bits. Only its SHA-256 is stored, so a backup or a reader of the database can join nothing; a
token that was used is gone from the store in the same step, so of many users at once exactly one joins.
"""

import hashlib
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Protocol

import msgspec

from weft.ca.names import CONTROL_PLANE_NAMESPACE, TOKEN_PREFIX
from weft.ca.signer import SignerAway
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

    async def read_record(self, bucket: str, name: str) -> Record | None:
        """One record."""
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
    host: str = ""


class WaitingToken(Value):
    """A token that nobody used yet. ``id`` is the beginning of its hash; ``expires`` is seconds since the epoch.

    ``host`` is the network that it may be used from, "" for any.
    """

    id: str
    namespace: str
    account: str
    expires: float
    host: str = ""


class JoinTokens:
    """Makes tokens and takes them back once."""

    def __init__(self, store: Records, clock: Clock, trust_domain: str = "cluster.local") -> None:
        self._store = store
        self._clock = clock
        self._trust_domain = trust_domain

    async def create(self, namespace: str, account: str, ttl: float = DEFAULT_TTL, host: str = "") -> str:
        """A token that lets one workload join as this account within ``ttl`` seconds. Raises ``UserError``.

        With ``host``, an address or a network, it is good for connections from there alone.
        """
        identity = self._identity(namespace, account)
        host = _network(host) if host else ""
        if not 0 < ttl <= LONGEST_TTL:
            raise UserError(
                f"a join token cannot live for {ttl:g} seconds", help=f"at most {LONGEST_TTL / 86400:g} days"
            )
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        expires = self._clock.now() + ttl
        grant = _Grant(namespace=identity.namespace, account=identity.account, expires=expires, host=host)
        await self._store.put_record(
            Record(bucket=_BUCKET, name=_digest(token), value=msgspec.json.encode(grant), expires=expires)
        )
        return token

    @asynccontextmanager
    async def used(self, token: str, source: str = "") -> AsyncIterator[Identity | None]:
        """As ``consume``, for the block: the token is good again if the block ends because nothing could be signed."""
        record = await self._take(token, source)
        try:
            yield None if record is None else self._bearer(record)
        except SignerAway:
            if record is not None:
                await self._store.put_record(record)
            raise

    async def consume(self, token: str, source: str = "") -> Identity | None:
        """Who the bearer, who comes from the address ``source``, joins as. It works once.

        ``None`` when the token is unknown, used, expired or of another host; the latter leaves it to that host.
        """
        record = await self._take(token, source)
        return None if record is None else self._bearer(record)

    async def _take(self, token: str, source: str) -> Record | None:
        if not _TOKEN.fullmatch(token):
            return None
        name = _digest(token)
        waiting = await self._store.read_record(_BUCKET, name)
        if waiting is None or not _usable(msgspec.json.decode(waiting.value, type=_Grant), source, self._clock.now()):
            return None
        return await self._store.take_record(_BUCKET, name)

    def _bearer(self, record: Record) -> Identity:
        grant = msgspec.json.decode(record.value, type=_Grant)
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
    return WaitingToken(id=_id(record), **msgspec.structs.asdict(grant))


def _usable(grant: _Grant, source: str, now: float) -> bool:
    if grant.expires <= now:
        return False
    return not grant.host or (bool(source) and _address(source) in ip_network(grant.host))


def _address(source: str) -> IPv4Address | IPv6Address:
    address = ip_address(source)
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _network(host: str) -> str:
    try:
        return str(ip_network(host))
    except ValueError:
        raise UserError(f"{host[:80]!r} is no host", help="give its address, or its network as 10.2.0.0/16") from None


def _id(record: Record) -> str:
    return record.name[:_SHOWN]


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("ascii")).hexdigest()
