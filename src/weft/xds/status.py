"""How far a client is with one type of resource."""

from enum import Enum

from weft.kit.value import Value


class SyncState(Enum):
    """In the words of ``istioctl proxy-status``."""

    SYNCED = "SYNCED"
    STALE = "STALE"
    NACK = "NACK"
    NOT_SENT = "NOT SENT"


class TypeStatus(Value):
    """One type on one stream. ``error`` is the client's last refusal, "" when it accepted since."""

    type_url: str
    state: SyncState
    sent_version: str = ""
    sent_nonce: str = ""
    acked_version: str = ""
    error: str = ""


MAX_ERROR = 2000
"""Characters kept of a client's refusal: it is the peer's text."""
