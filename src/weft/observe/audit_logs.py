"""The two logs of an audit: what people did with the control plane, and what proxies decided.

They are apart because whoever calls a workload on and on fills the second; what was done with the control plane must
not be pushed out of its files by that. They are asked and verified as one.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from weft.kit.clock import Clock
from weft.kit.tasks import Tasks
from weft.model.audit import DECISION, AuditEntry
from weft.observe.audit import Anchors, AuditLog, Ship, Verdict

_DECISIONS = "decisions"
_MOST_DEEDS = 100


class AuditLogs:
    """Owned by one event loop. The second log is in a directory inside the first one's."""

    def __init__(self, directory: Path, clock: Clock, anchors: Anchors, ships: tuple[Ship, ...] = ()) -> None:
        self._deeds = AuditLog(directory, clock, anchors, ships)
        self._decisions = AuditLog(directory / _DECISIONS, clock, anchors, ships, head=_DECISIONS)
        self._both = (self._deeds, self._decisions)
        self.listeners: list[Callable[[AuditEntry], None]] = []
        """Told every entry of the first log; they never fail and never wait."""
        self.deeds: Counter[str] = Counter()
        """How often what was done, as ``verb outcome``."""

    async def resume(self) -> None:
        """Go on where the store knows that the logs ended."""
        for log in self._both:
            await log.resume()

    def start(self, group: Tasks) -> None:
        """Keep the ends of the logs in the store."""
        group.start(self._deeds.run(), "audit log")
        group.start(self._decisions.run(), "audit log of decisions")

    def write(self, entry: AuditEntry) -> None:
        """Append an entry to the log that it belongs to."""
        if entry.verb == DECISION:
            self._decisions.write(entry)
            return
        self._deeds.write(entry)
        deed = f"{entry.verb} {entry.outcome.value}"
        self.deeds[deed if deed in self.deeds or len(self.deeds) < _MOST_DEEDS else f"other {entry.outcome.value}"] += 1
        for told in self.listeners:
            told(entry)

    def newest_first(self, wanted: Callable[[dict[str, Any]], bool], limit: int) -> list[dict[str, Any]]:
        """The newest entries of both that are wanted, at most ``limit`` (run it in a thread)."""
        found = [entry for log in self._both for entry in log.newest_first(wanted, limit)]
        return sorted(found, key=lambda entry: str(entry.get("time", "")), reverse=True)[:limit]

    async def verify(self) -> Verdict:
        """Read every line of both and compare."""
        deeds, decisions = await self._deeds.verify(), await self._decisions.verify()
        broken = deeds.broken
        if broken is None and decisions.broken is not None:
            broken = replace(decisions.broken, file=f"{_DECISIONS}/{decisions.broken.file}")
        return Verdict(lines=deeds.lines + decisions.lines, files=deeds.files + decisions.files, broken=broken)

    async def close(self) -> None:
        """Put everything on the disk, the ends into the store, and let go of the files."""
        for log in self._both:
            await log.anchor()
            log.close()
