"""Whose certificates count no more: accounts, and single workloads, until somebody takes it back.

What is revoked here is refused by the control plane at once and by every sidecar as soon as it has the list.
"""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import msgspec

from weft.ca.ledger import Ledger, Line
from weft.kit.clock import Clock
from weft.kit.errors import UserError, WeftError
from weft.kit.latest import Latest
from weft.kit.value import Value
from weft.model.identity import Identity
from weft.model.record import Record
from weft.model.revocation import Revoked

_BUCKET = "revocations"
_RELOAD_SECONDS = 5.0
"""After which what another replica did is known here."""


class Records(Protocol):
    """The part of a store that is needed."""

    async def put_record(self, record: Record) -> None:
        """Write or overwrite a record."""
        ...

    async def take_record(self, bucket: str, name: str) -> Record | None:
        """Read and remove a record in one step."""
        ...

    async def records(self, bucket: str) -> tuple[Record, ...]:
        """Every record of a bucket, by name."""
        ...


class Revocation(Value):
    """One entry. ``line`` is that of a single workload, "" for the whole account; ``at`` is seconds since the epoch."""

    id: str
    namespace: str
    account: str
    at: float
    by: str
    line: str = ""
    name: str = ""
    reason: str = ""


class Revocations:
    """Owned by one event loop. ``changed`` is told what every sidecar must refuse."""

    def __init__(
        self, records: Records, ledger: Ledger, clock: Clock, changed: Callable[[Revoked], None] = lambda _: None
    ) -> None:
        self.news: Latest[Revoked] = Latest()
        self._records = records
        self._ledger = ledger
        self._clock = clock
        self._changed = changed
        self._entries: tuple[Revocation, ...] = ()
        self._revoked = Revoked()
        self._told: set[str] = set()

    async def load(self) -> None:
        """Read what is stored, and tell."""
        await self._ledger.load()
        self._entries = await self._stored()
        self._publish()

    async def run(self) -> None:
        """Follow what other replicas do, and what was being signed while somebody was revoked, for ever."""
        while True:
            await asyncio.sleep(_RELOAD_SECONDS)
            with suppress(WeftError):
                await self.look()

    async def look(self) -> None:
        """Read what is stored where it has changed: the ledger is large."""
        if set(await self._stored()) != set(self._entries):
            await self.load()
        else:
            self._publish()

    async def _stored(self) -> tuple[Revocation, ...]:
        records = await self._records.records(_BUCKET)
        return tuple(msgspec.json.decode(record.value, type=Revocation) for record in records)

    def entries(self) -> tuple[Revocation, ...]:
        """All of them, oldest first."""
        return tuple(sorted(self._entries, key=lambda entry: entry.at))

    def bars(self, identity: Identity | None, digest: str) -> bool:
        """Whether a caller of this identity, who shows this certificate, is refused."""
        if identity is not None and (identity.namespace, identity.account) in self._revoked.accounts:
            return True
        return digest in self._revoked.certificates

    async def revoke_account(self, namespace: str, account: str, by: str, reason: str = "") -> Revocation:
        """Revoke all certificates of an account, and refuse it others."""
        known = next((one for one in self._entries if _is_account(one, namespace, account)), None)
        return known or await self._add(namespace, account, by, reason)

    async def revoke_workload(self, namespace: str, name: str, by: str, reason: str = "") -> tuple[Revocation, ...]:
        """Revoke the certificates of a workload. Raises ``UserError`` when none of that name has one."""
        mine = self._ledger.named_as(namespace, name)
        if not mine:
            raise UserError(
                f"no workload {name[:253]} of {namespace[:253]} has a certificate",
                help="weft ca issued lists those that have; --account revokes all certificates of an account",
            )
        revoked = {entry.line: entry for entry in self._entries}
        return tuple([revoked.get(line.id) or await self._add_line(line, by, reason) for line in mine])

    async def undo(self, entry_id: str) -> Revocation | None:
        """Take an entry back; ``None`` when there is none of that id."""
        record = await self._records.take_record(_BUCKET, entry_id)
        if record is None:
            return None
        await self.load()
        return msgspec.json.decode(record.value, type=Revocation)

    async def _add_line(self, line: Line, by: str, reason: str) -> Revocation:
        identity = line.identity
        return await self._add(identity.namespace, identity.account, by, reason, line=line.id, name=line.name)

    async def _add(self, namespace: str, account: str, by: str, reason: str, **more: str) -> Revocation:
        entry = Revocation(
            id=secrets.token_hex(6),
            namespace=namespace,
            account=account,
            at=self._clock.now(),
            by=by,
            reason=reason[:500],
            **more,
        )
        await self._records.put_record(Record(bucket=_BUCKET, name=entry.id, value=msgspec.json.encode(entry)))
        self._entries = (*self._entries, entry)
        self._publish()
        return entry

    def _publish(self) -> None:
        """Tell what is revoked. What has ended stays in the list until it changes: a change closes connections."""
        lines = {entry.line for entry in self._entries if entry.line}
        digests = {digest for line in self._ledger.all_of(lines) for digest, _ in line.certificates}
        if lines == self._told:
            digests |= set(self._revoked.certificates)
        self._told = lines
        accounts = {(entry.namespace, entry.account) for entry in self._entries if not entry.line}
        revoked = Revoked(accounts=tuple(sorted(accounts)), certificates=tuple(sorted(digests)))
        if revoked != self._revoked or self.news.value is None:
            self._revoked = revoked
            self.news.set(revoked)
            self._changed(revoked)


def _is_account(entry: Revocation, namespace: str, account: str) -> bool:
    return not entry.line and (entry.namespace, entry.account) == (namespace, account)
