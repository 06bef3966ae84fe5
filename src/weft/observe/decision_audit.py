"""What proxies decided, as entries of the audit log: the first of a kind at once, those after it counted.

A kind is one caller, one proxy, one policy and one call; who is refused again and again leaves a line a minute and not
a line a call. Whatever the kinds are, there are so many lines a second at most, and what is left out is counted.
"""

import asyncio
from collections import OrderedDict
from itertools import takewhile

from msgspec.structs import replace

from weft.kit.clock import Clock
from weft.kit.rates import Rates
from weft.model.audit import DECISION, AuditEntry, Auditor, Outcome
from weft.observe.decisions import Decision

_WINDOW = 60.0
_LOOK_SECONDS = 5.0
_PER_SECOND, _BURST = 20.0, 500
_MOST_KINDS = 5_000
_LONGEST = 512


class DecisionAudit:
    """``told`` takes decisions, ``run`` writes the counts of those that came again."""

    def __init__(self, write: Auditor, clock: Clock) -> None:
        self._write = write
        self._clock = clock
        self._rates = Rates(clock, per_second=_PER_SECOND, burst=_BURST)
        self._since: OrderedDict[AuditEntry, float] = OrderedDict()
        self._again: dict[AuditEntry, int] = {}
        self._left_out = 0

    def told(self, decisions: tuple[Decision, ...]) -> None:
        """Write what is new, count what is not."""
        for decision in decisions:
            self._take(entry_of(decision))

    def _take(self, entry: AuditEntry) -> None:
        if entry in self._since:
            self._again[entry] = self._again.get(entry, 0) + 1
            return
        self._since[entry] = self._clock.monotonic()
        if len(self._since) > _MOST_KINDS:
            self._forget(next(iter(self._since)))
        self._tell(entry, 1)

    async def run(self) -> None:
        """Write counts until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Write the counts of kinds whose window is over."""
        now = self._clock.monotonic()
        over = takewhile(lambda one: now - one[1] >= _WINDOW, self._since.items())  # the oldest come first
        for entry, _ in list(over):
            self._forget(entry)

    def close(self) -> None:
        """Write what was counted so far."""
        for entry in list(self._since):
            self._forget(entry)

    def _forget(self, entry: AuditEntry) -> None:
        del self._since[entry]
        count = self._again.pop(entry, 0)
        if count:
            self._tell(entry, count)

    def _tell(self, entry: AuditEntry, count: int) -> None:
        if not self._rates.allows(""):
            self._left_out += count
            return
        left_out, self._left_out = self._left_out, 0
        detail = f"{entry.detail}; {left_out} decisions before it are left out" if left_out else entry.detail
        self._write(replace(entry, count=count if count > 1 else 0, detail=detail))


def entry_of(decision: Decision) -> AuditEntry:
    """A decision as an entry. What only would have been refused, and what is only to be noted, was allowed.

    The proxy's own identity is the ``agent``: it is who says all the rest.
    """
    namespace, _, name = decision.policy.partition("/")
    refused = decision.action != "AUDIT" and not decision.dry_run
    return AuditEntry(
        verb=DECISION,
        who=decision.source[:_LONGEST],
        outcome=Outcome.DENIED if refused else Outcome.ALLOWED,
        group="security.istio.io",
        resource="requestauthentications" if decision.action == "TOKEN" else "authorizationpolicies",
        namespace=(namespace or decision.reporter.namespace)[:_LONGEST],
        name=name[:_LONGEST],
        path=decision.path,
        code=decision.code,
        source=decision.address[:_LONGEST],
        agent=decision.reporter.uri,
        detail=_detail(decision),
        proxy=decision.proxy,
        method=decision.method,
        authority=decision.authority,
        action=decision.action,
    )


def _detail(decision: Decision) -> str:
    rule = f"rule {decision.rule[:20]}" if decision.rule else decision.detail
    return f"{rule} (tried, not enforced)" if decision.dry_run else rule
