"""When a certificate is obtained: at once where there is none that can be used, else before it ends. Pure."""

from weft.issuing.documents import belongs
from weft.kit.value import Value
from weft.model.credential import StoredCredential
from weft.model.document import Document
from weft.model.issuing import Issuance

_THIRD = 1 / 3
_SPREAD = 0.02


class Pace(Value):
    """Seconds: the pauses after failures, how long gateways and the authority get, how often times are looked at."""

    first_pause: float = 60.0
    longest_pause: float = 6 * 3600.0
    placing: float = 20.0
    proving: float = 60.0
    finishing: float = 60.0
    poll: float = 1.0
    look: float = 60.0


def due_at(issuance: Issuance, secret: Document | None, facts: StoredCredential | None) -> float:
    """Seconds since the epoch; 0 for at once.

    A renewal is spread over a fiftieth of the certificate's life, so that many do not come together; by what the
    certificate is, so that it stays when it is asked again.
    """
    order = issuance.order
    if secret is None or facts is None or not facts.certificate or not belongs(secret, order, issuance.issuer):
        return 0.0
    if facts.not_before is None or facts.not_after is None:
        return 0.0
    life = facts.not_after - facts.not_before
    before = order.renew_before if order.renew_before is not None else life * _share(issuance)
    early = int(facts.version[:8], 16) / 0xFFFF_FFFF * life * _SPREAD
    return max(facts.not_after - min(before, life * 0.9) - early, 0.0)


def _share(issuance: Issuance) -> float:
    percent = issuance.order.renew_percent
    return _THIRD if percent is None else percent / 100


def pause_after(failures: int, pace: Pace, chance: float) -> float:
    """Seconds after so many failures in a row: twice as long each time, up to a fifth more by ``chance`` (0 to 1)."""
    doubled: float = min(pace.first_pause * 2.0 ** min(failures - 1, 30), pace.longest_pause)
    return doubled * (1 + 0.2 * chance)
