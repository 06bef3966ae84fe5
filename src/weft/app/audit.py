"""The audit of a control plane, composed: its logs, what is shipped of them, and what proxies decided."""

from pathlib import Path

from weft.kit.clock import Clock
from weft.kit.tasks import Tasks
from weft.observe.audit import Anchors
from weft.observe.audit_logs import AuditLogs
from weft.observe.decision_audit import DecisionAudit
from weft.observe.shipping.channels import shipper_of
from weft.observe.shipping.destination import Destination
from weft.observe.shipping.shipper import Shipper


class Auditing:
    """``logs`` are written and asked, ``decisions`` takes what proxies decided, ``shippers`` tell of themselves."""

    def __init__(
        self, directory: Path, clock: Clock, anchors: Anchors, destinations: tuple[Destination, ...] = ()
    ) -> None:
        """Raises ``UserError`` for destinations that cannot be used."""
        self.shippers: tuple[Shipper, ...] = tuple(shipper_of(one, clock) for one in destinations)
        self.logs = AuditLogs(directory, clock, anchors, tuple(one.ship for one in self.shippers))
        self.decisions = DecisionAudit(self.logs.write, clock)

    async def start(self, group: Tasks) -> None:
        """Go on where the logs ended, and begin to ship."""
        await self.logs.resume()
        self.logs.start(group)
        group.start(self.decisions.run(), "decisions of proxies")
        for shipper in self.shippers:
            group.start(shipper.run(), f"audit log to {shipper.name}")

    async def close(self) -> None:
        """Write what is left."""
        self.decisions.close()
        await self.logs.close()

    def troubles(self) -> tuple[str, ...]:
        """What does not arrive elsewhere, in sentences; where that is, is told to who may read the log."""
        found = [one.status() for one in self.shippers]
        away, dropped = sum(bool(one.problem) for one in found), sum(one.dropped for one in found)
        told = f"the audit log does not reach {away} of the {len(found)} places that it is shipped to"
        lost = f"{dropped} lines of the audit log were not shipped"
        return tuple(text for text, holds in ((told, away), (lost, dropped)) if holds)
