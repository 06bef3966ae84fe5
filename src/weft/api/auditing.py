"""What of the requests goes into the audit log: every write, everything refused, and reading what is privileged.

Health checks, lists and ordinary reads are left out: they are many and change nothing.
"""

from starlette.datastructures import Headers
from starlette.types import Scope

from weft.api.permissions import Ask
from weft.api.subjects import Subject
from weft.kit.clock import Clock
from weft.kit.rates import Rates
from weft.model.audit import AuditEntry, Auditor, Outcome

READS = ("get", "list", "watch")
_PRIVILEGED = (
    "secrets", "proxies", "jointokens", "apitokens", "revocations", "auditlog", "compliancereports",
)  # fmt: skip
_STRANGERS_PER_SECOND = 5.0
_STRANGERS_BURST = 50


class Audit:
    """Writes an entry for a request whose status is known; of strangers' refused ones so many a second."""

    def __init__(self, write: Auditor, clock: Clock) -> None:
        self._write = write
        self._rates = Rates(clock, per_second=_STRANGERS_PER_SECOND, burst=_STRANGERS_BURST)
        self._left_out = 0

    def told(self, scope: Scope, code: int) -> None:
        """Write an entry, if this request is one that leaves one."""
        state = scope.get("state", {})
        subject: Subject | None = state.get("subject")
        ask: Ask = state.get("ask") or Ask(verb=scope["method"].lower(), path=scope["path"])
        if subject is None and not self._stranger(code):
            return
        if subject is not None and not _notable(ask, code, subject):
            return
        self._write(_entry(scope, ask, subject, code, self._detail()))

    def _stranger(self, code: int) -> bool:
        """Whether a request without a known caller is written down; those that are not are counted."""
        if code < 400:
            return False
        if self._rates.allows(""):
            return True
        self._left_out += 1
        return False

    def _detail(self) -> str:
        left_out, self._left_out = self._left_out, 0
        return f"{left_out} refused requests of strangers before it are left out" if left_out else ""


def _notable(ask: Ask, code: int, subject: Subject) -> bool:
    if code in (401, 403, 429) or ask.verb not in READS:
        return not _asks_about_itself(ask)
    return ask.resource in _PRIVILEGED or bool(subject.via)


def _asks_about_itself(ask: Ask) -> bool:
    return ask.group in ("authorization.k8s.io", "authentication.k8s.io")


def _entry(scope: Scope, ask: Ask, subject: Subject | None, code: int, detail: str) -> AuditEntry:
    headers = Headers(scope=scope)
    client = scope.get("client")
    return AuditEntry(
        verb=ask.verb,
        who=(subject.via or subject.name) if subject else "",
        groups=subject.groups if subject else (),
        outcome=_outcome(code),
        group=ask.group,
        resource=f"{ask.resource}/{ask.subresource}" if ask.subresource else ask.resource,
        namespace=ask.namespace,
        name=ask.name,
        path=ask.path[:1000],
        code=code,
        source=client[0] if client else "",
        agent=headers.get("user-agent", "")[:100],
        acting_as=subject.name if subject and subject.via else "",
        credential=subject.credential if subject else "",
        detail=detail,
    )


def _outcome(code: int) -> Outcome:
    if code in (401, 403, 429):
        return Outcome.DENIED
    return Outcome.ALLOWED if code < 400 else Outcome.FAILED
