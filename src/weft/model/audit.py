"""What the audit log says of one thing that somebody did, or tried to do."""

from collections.abc import Callable
from enum import Enum

from weft.kit.value import Value


class Outcome(Enum):
    """How it ended."""

    ALLOWED = "allowed"
    DENIED = "denied"
    FAILED = "failed"


class AuditEntry(Value):
    """One line: who did what to which object, from where, and how it ended. Bodies and secrets are never in it.

    ``verb`` is Kubernetes' (get, create, ...) or one of weft's own (join, renew); ``code`` is the status of the answer.
    ``credential`` is the id of the API token that was shown, if it was one.
    ``detail`` says more where there is more to say (the identity of a certificate, the number of those left out).
    ``proxy``, ``method``, ``authority`` and ``action`` are of what a proxy decided: ``resource`` is then the policy,
    ``path`` the call's, and ``count`` how many of the same kind one line stands for.
    """

    verb: str
    who: str
    outcome: Outcome
    groups: tuple[str, ...] = ()
    group: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    code: int = 0
    source: str = ""
    agent: str = ""
    acting_as: str = ""
    credential: str = ""
    detail: str = ""
    proxy: str = ""
    method: str = ""
    authority: str = ""
    action: str = ""
    count: int = 0


DECISION = "decision"
"""The verb of what a proxy decided."""

Auditor = Callable[[AuditEntry], None]
"""Writes an entry; never fails and never waits."""
