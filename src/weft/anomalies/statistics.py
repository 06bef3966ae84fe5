"""How unlikely it is that nothing changed: beta-binomial tails, widened where traffic is uneven by itself.

A share of bad calls is compared with a baseline. What the baseline leaves unknown is part of the sum: with few calls
before, or an uneven past, a change must be larger to be one. The sources are the usual ones: the predictive
distribution of a binomial with a beta prior (Jeffreys'), and a quasi-binomial dispersion.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

ALPHA = 1e-8
"""How unlikely a change must be by chance, each time that an edge is looked at: every 5 s, so about once in 15 years of
an edge if looks were independent, and in practice less often, for they overlap."""
CAPACITY = 4_000.0
"""Calls that a baseline counts for at most: a share that drifts by a few per mille is no change."""
_TERMS = 100_000


class Share(NamedTuple):
    """Bad calls among some."""

    bad: float = 0.0
    total: float = 0.0

    @property
    def ratio(self) -> float:
        """The share, 0 without calls."""
        return self.bad / self.total if self.total else 0.0

    def __add__(self, other: "Share") -> "Share":  # type: ignore[override]
        return Share(self.bad + other.bad, self.total + other.total)


def chance(recent: Share, baseline: Share, dispersion: float = 1.0) -> float:
    """How likely at least as many bad calls are as ``recent`` has, if the share is the baseline's."""
    many, bad = round(recent.total / dispersion), round(recent.bad / dispersion)
    if bad <= 0 or many <= 0:
        return 1.0
    scale = min(1.0, CAPACITY / baseline.total) if baseline.total else 0.0
    alpha = baseline.bad * scale / dispersion + 0.5
    beta = (baseline.total - baseline.bad) * scale / dispersion + 0.5
    if bad <= many * alpha / (alpha + beta):
        return 1.0
    return _tail(bad, many, alpha, beta)


def _tail(bad: int, many: int, alpha: float, beta: float) -> float:
    """The sum of the beta-binomial probabilities from ``bad`` on."""
    term = math.exp(_log_probability(bad, many, alpha, beta))
    total, place = term, bad
    while place < many and term > total * 1e-12 and place - bad < _TERMS:
        grows = (many - place) * (place + alpha) / ((place + 1) * (many - place - 1 + beta))
        term *= grows
        total += term
        place += 1
    return min(total, 1.0)


def _log_probability(bad: int, many: int, alpha: float, beta: float) -> float:
    chosen = math.lgamma(many + 1) - math.lgamma(bad + 1) - math.lgamma(many - bad + 1)
    return chosen + _log_beta(bad + alpha, many - bad + beta) - _log_beta(alpha, beta)


def _log_beta(one: float, other: float) -> float:
    return math.lgamma(one) + math.lgamma(other) - math.lgamma(one + other)


def dispersion_of(minutes: Sequence[Share], least: float = 1.0, most: float = 20.0) -> float:
    """How much more uneven the minutes of a past are than chance alone makes them; ``least`` where little is known."""
    known = [one for one in minutes if one.total > 0]
    whole = summed(known)
    if len(known) < 10 or whole.bad < 10 or whole.bad >= whole.total:
        return least
    share = whole.ratio
    spread = sum((one.bad - one.total * share) ** 2 / (one.total * share * (1 - share)) for one in known)
    return min(max(spread / (len(known) - 1), least), most)


def summed(shares: Iterable[Share]) -> Share:
    """All of them together."""
    bad = total = 0.0
    for one in shares:
        bad, total = bad + one.bad, total + one.total
    return Share(bad, total)
