"""The compliance report: what a mesh's proxies, policies, certificates and audit log say of a period, as one value.

Made of what others have found; nothing is looked up here.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from weft.api.auditing import READS
from weft.api.weft_audit import deed_of
from weft.ca.ending import Ending, worrying
from weft.explain.posture import Posture
from weft.kit.value import Value
from weft.model.audit import DECISION
from weft.observe.coverage import EdgeTraffic

MOST_CHANGES = 5_000
_MOST_ROWS = 1_000
_DAY = 86_400.0
LONGEST_LIFE = {
    "workload": 30 * _DAY,
    "server": 398 * _DAY,
    "secret": 398 * _DAY,
    "intermediate": 5 * 366 * _DAY,
    "root": 20 * 366 * _DAY,
}
"""Seconds that certificates may live by kind: of workloads 30 days, of servers what browsers take at most."""
Entry = dict[str, Any]


class Coverage(Value):
    """Edges with traffic, those of them without certificates for some of it, and what share had them (``None``: no
    traffic was counted)."""

    edges: tuple[EdgeTraffic, ...]
    total: int
    mtls: int
    share: float | None


class CertificateRow(Value):
    """A certificate that somebody should see to: ``problem`` is ``expiring`` or ``overlong``; days are whole."""

    kind: str
    name: str
    problem: str
    days_left: int
    days_of_life: int


class AttemptRow(Value):
    """Something that was refused, and how often; ``where`` is ``api`` or ``mesh``."""

    where: str
    who: str
    what: str
    policy: str
    count: int
    last: str


class ChangeRow(Value):
    """A write that was done."""

    time: str
    who: str
    what: str
    source: str


class Compliance(Value):
    """The report. Times are seconds since the epoch."""

    since: float
    until: float
    trust_domain: str
    coverage: Coverage
    workloads: int
    without_policy: tuple[Posture, ...]
    without_strict_mtls: tuple[Posture, ...]
    certificates: tuple[CertificateRow, ...]
    attempts: tuple[AttemptRow, ...]
    changes: tuple[ChangeRow, ...]
    changes_by: tuple[tuple[str, int], ...]
    audit_log_is_whole: bool


def coverage_of(edges: Sequence[EdgeTraffic]) -> Coverage:
    """What share of the traffic was proved."""
    total, mtls = sum(edge.total for edge in edges), sum(edge.mtls for edge in edges)
    return Coverage(edges=tuple(edges), total=total, mtls=mtls, share=mtls / total if total else None)


def unguarded(postures: Iterable[Posture]) -> tuple[tuple[Posture, ...], tuple[Posture, ...]]:
    """Workloads that no policy decides for (one without a sidecar has none, whatever is written), and those that
    take connections without a certificate."""
    listed = tuple(postures)
    without = tuple(one for one in listed if not one.policies or not one.meshed)
    return without, tuple(one for one in listed if one.mtls != "STRICT" or not one.meshed)


def certificates_of(endings: Iterable[Ending], now: float) -> tuple[CertificateRow, ...]:
    """Certificates that end soon, and those that live longer than they should."""
    rows = []
    for ending in endings:
        problems = (("expiring", worrying(ending, now)), ("overlong", ending.life > _longest(ending.kind)))
        rows += [_certificate(ending, problem, now) for problem, holds in problems if holds]
    return tuple(sorted(rows, key=lambda row: (row.days_left, row.kind, row.name, row.problem)))


def _longest(kind: str) -> float:
    return LONGEST_LIFE.get(kind, LONGEST_LIFE["server"])


def _certificate(ending: Ending, problem: str, now: float) -> CertificateRow:
    left, life = int((ending.expires - now) // _DAY), int(ending.life // _DAY)
    return CertificateRow(kind=ending.kind, name=ending.name, problem=problem, days_left=left, days_of_life=life)


def attempts_of(entries: Iterable[Entry]) -> tuple[AttemptRow, ...]:
    """What was refused, alike attempts as one, the most frequent first. ``entries`` are newest first."""
    found: dict[tuple[str, str, str, str], tuple[int, str]] = {}
    for entry in entries:
        if entry.get("outcome") != "denied":
            continue
        key = _attempt(entry)
        count, last = found.get(key, (0, str(entry.get("time", ""))))
        found[key] = (count + int(entry.get("count", 1)), last)
    rows = [
        AttemptRow(where=where, who=who, what=what, policy=policy, count=count, last=last)
        for (where, who, what, policy), (count, last) in found.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.count, row.where, row.who, row.what)))[:_MOST_ROWS]


def _attempt(entry: Entry) -> tuple[str, str, str, str]:
    who = str(entry.get("who") or entry.get("source") or "unknown")
    if entry.get("verb") == DECISION:
        call = f"{entry.get('method', '')} {entry.get('authority', '')}{entry.get('path', '')}".strip()
        policy = "/".join(str(entry[part]) for part in ("namespace", "name") if entry.get(part))
        told = policy if entry.get("name") else f"no ALLOW policy of {entry.get('namespace', '')} matched"
        return "mesh", who, f"{call or 'connection'} at {entry.get('proxy', 'unknown')}", told
    return "api", who, deed_of(entry), ""


def changes_of(entries: Iterable[Entry]) -> tuple[tuple[ChangeRow, ...], tuple[tuple[str, int], ...]]:
    """Writes that were done, newest first, and how many by whom; of the rows the newest ``MOST_CHANGES``."""
    rows: list[ChangeRow] = []
    by: dict[str, int] = {}
    for entry in entries:
        if entry.get("outcome") != "allowed" or entry.get("verb") in (*READS, DECISION, "login"):
            continue
        who = _who(entry)
        by[who] = by.get(who, 0) + 1
        if len(rows) < MOST_CHANGES:
            time, source = str(entry.get("time", "")), str(entry.get("source", ""))
            rows.append(ChangeRow(time=time, who=who, what=deed_of(entry), source=source))
    return tuple(rows), tuple(sorted(by.items(), key=lambda one: (-one[1], one[0])))


def _who(entry: Entry) -> str:
    who = str(entry.get("who") or "unknown")
    return f"{who} as {entry['acting_as']}" if entry.get("acting_as") else who
