"""The arithmetic of budgets: what a window of calls says of an objective."""

from collections.abc import Mapping
from enum import Enum

from weft.kit.value import Value
from weft.model.objective import AlertRule, Objective
from weft.slo.counting import Share

SHOWN = (300.0, 3600.0, 6 * 3600.0, 3 * 86_400.0)
"""Windows whose burn rates are shown, in seconds."""


class State(Enum):
    """How an objective is."""

    MET = "met"
    BURNING = "burning"
    MISSED = "missed"
    NO_CALLS = "no calls"


class Standing(Value):
    """How an objective is now. ``shares`` are by window, in seconds, and hold that of the objective itself.

    ``firing`` are the names of rules whose alerts are on.
    """

    objective: Objective
    at: float
    shares: tuple[tuple[float, Share], ...] = ()
    firing: tuple[str, ...] = ()

    @property
    def share(self) -> Share:
        """The calls of the whole window."""
        return dict(self.shares).get(self.objective.window, Share())

    @property
    def left(self) -> float | None:
        """The share of the budget that is left, below 0 when more was used; ``None`` without calls."""
        ratio = self.share.ratio
        return None if ratio is None else 1 - (1 - ratio) / (1 - self.objective.target)

    @property
    def state(self) -> State:
        """In a word."""
        left = self.left
        if left is None:
            return State.NO_CALLS
        if left < 0:
            return State.MISSED
        return State.BURNING if self.firing else State.MET

    def burn(self, window: float) -> float | None:
        """How many times as fast as it lasts the budget is used; ``None`` without calls."""
        share = dict(self.shares).get(window)
        return None if share is None else burn_of(share, self.objective.target)


def burn_of(share: Share, target: float) -> float | None:
    """1 uses the budget up exactly within the objective's window."""
    ratio = share.ratio
    return None if ratio is None else (1 - ratio) / (1 - target)


def windows_of(objective: Objective) -> tuple[float, ...]:
    """Every window that must be counted for an objective, the shortest first."""
    of_rules = (length for rule in objective.rules for length in (rule.long, rule.short) if length)
    shown = (one for one in SHOWN if one <= objective.window)
    return tuple(sorted({objective.window, *of_rules, *shown}))


def breached(rule: AlertRule, shares: Mapping[float, Share], target: float) -> bool:
    """Whether a rule's windows all say that the budget is used too fast."""
    lengths = (rule.long, rule.short) if rule.short else (rule.long,)
    burns = (burn_of(shares[length], target) if length in shares else None for length in lengths)
    return all(burn is not None and burn >= rule.threshold for burn in burns)
