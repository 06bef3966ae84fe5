"""Which certificates workloads have: one record for each line of renewals that began with a join.

So that one workload's certificates can be revoked among many of the same account, whoever signs them. They are known by
the SHA-256 of their DER, which every proxy sees too.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Collection
from typing import Protocol

import msgspec

from weft.ca.grounds import Ground
from weft.kit.clock import Clock
from weft.kit.value import Value
from weft.model.identity import Identity, parse_identity
from weft.model.record import Record

_BUCKET = "certificates"
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_LONGEST_NAME = 253
_ENDED_KEPT = 4
"""Certificates of a line that have ended and can still be shown, by a workload that was away."""


class Records(Protocol):
    """The part of a store that is needed."""

    async def put_record(self, record: Record) -> None:
        """Write or overwrite a record."""
        ...

    async def records(self, bucket: str) -> tuple[Record, ...]:
        """Every record of a bucket, by name."""
        ...


class Line(Value):
    """The certificates of one workload that may be in use, by digest and end (seconds since the epoch).

    ``ground`` is what it was let in by, ``None`` where that is not known.
    """

    id: str
    uri: str
    name: str
    certificates: tuple[tuple[str, float], ...]
    ground: Ground | None = None

    @property
    def identity(self) -> Identity:
        """Whose they are."""
        return parse_identity(self.uri)

    @property
    def expires(self) -> float:
        """The end of the last one."""
        return max((end for _, end in self.certificates), default=0.0)


class Ledger:
    """Knows the lines; ``keep`` is how many seconds a line is remembered after its last certificate has ended."""

    def __init__(self, records: Records, clock: Clock, keep: float = 0.0) -> None:
        self._records = records
        self._clock = clock
        self._keep = keep
        self._lines: dict[str, Line] = {}
        self._by_digest: dict[str, str] = {}

    async def load(self) -> None:
        """Read what is stored, also by other replicas."""
        lines = [msgspec.json.decode(record.value, type=Line) for record in await self._records.records(_BUCKET)]
        self._lines = {line.id: line for line in lines}
        self._by_digest = {digest: line.id for line in lines for digest, _ in line.certificates}

    def line_of(self, digest: str) -> Line | None:
        """The line of a certificate."""
        return self._lines.get(self._by_digest.get(digest, ""))

    def all_of(self, ids: Collection[str]) -> tuple[Line, ...]:
        """The lines of these ids that are known."""
        return tuple(self._lines[one] for one in ids if one in self._lines)

    def named_as(self, namespace: str, name: str) -> tuple[Line, ...]:
        """The lines of a workload's name, also those that have ended and could be taken up again."""
        return tuple(one for one in self._lines.values() if (one.identity.namespace, one.name) == (namespace, name))

    def lines(self) -> tuple[Line, ...]:
        """All lines with a certificate that has not ended, by identity and name."""
        now = self._clock.now()
        found = (line for line in self._lines.values() if line.expires > now)
        return tuple(sorted(found, key=lambda line: (line.uri, line.name, line.id)))

    async def issued(
        self,
        digest: str,
        expires: float,
        identity: Identity,
        name: str,
        shown: str = "",
        ground: Ground | None = None,
    ) -> Line:
        """Write down a new certificate; ``shown`` is the digest of the one that it was given for, "" for a join.

        ``ground`` is that of a join: renewals keep it.
        """
        now = self._clock.now()
        before = self.line_of(shown) if shown else None
        if before is None:
            before = Line(id=secrets.token_hex(8), uri=identity.uri, name=name, certificates=(), ground=ground)
        ended = tuple(one for one in before.certificates if now - self._keep < one[1] <= now)[-_ENDED_KEPT:]
        usable = (*ended, *(one for one in before.certificates if one[1] > now))
        name = name[:_LONGEST_NAME] or before.name
        return await self._put(msgspec.structs.replace(before, name=name, certificates=(*usable, (digest, expires))))

    async def named(self, digest: str, expires: float, identity: Identity, name: str) -> None:
        """A workload that holds a certificate said its name; one that was signed before there was a ledger is added."""
        line = self.line_of(digest)
        if line is None:
            await self.issued(digest, expires, identity, name)
        elif not line.name and name:
            await self._put(msgspec.structs.replace(line, name=name[:_LONGEST_NAME]))

    async def _put(self, line: Line) -> Line:
        value, end = msgspec.json.encode(line), line.expires + self._keep
        await self._records.put_record(Record(bucket=_BUCKET, name=line.id, value=value, expires=end))
        self._lines[line.id] = line
        self._by_digest |= {digest: line.id for digest, _ in line.certificates}
        return line


def digest_of(chain: str) -> str:
    """The digest of the first certificate of a chain in PEM; "" when there is none."""
    found = _PEM.search(chain)
    return hashlib.sha256(base64.b64decode(found[1])).hexdigest() if found else ""
