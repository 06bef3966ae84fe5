"""What documents of OpenSLO say before they are put together: names of others stay names."""

from weft.kit.value import Value
from weft.model.document import Key
from weft.model.objective import Counted, Target


class IndicatorPart(Value):
    """An SLI: a share (``good`` or ``bad`` among ``total``), or ``values`` that are compared with a threshold."""

    key: Key
    total: Counted | None = None
    good: Counted | None = None
    bad: Counted | None = None
    values: Counted | None = None


class ConditionPart(Value):
    """An AlertCondition; times are seconds."""

    key: Key
    severity: str
    threshold: float
    lookback: float
    after: float


class TargetPart(Value):
    """An AlertNotificationTarget."""

    key: Key
    target: Target


class PolicyPart(Value):
    """An AlertPolicy: its condition and targets, or their names."""

    key: Key
    fires: bool
    resolves: bool
    condition: ConditionPart | str
    targets: tuple[TargetPart | str, ...]


class Bound(Value):
    """One objective: the share, and what values are compared with (``below``: they must not be above it)."""

    target: float
    threshold: float | None = None
    below: bool = True
    display: str = ""


class ObjectivePart(Value):
    """An SLO."""

    key: Key
    service: str
    window: float
    bounds: tuple[Bound, ...]
    indicator: IndicatorPart | str
    policies: tuple[PolicyPart | str, ...]
    display: str = ""
    description: str = ""


SloPart = IndicatorPart | ConditionPart | TargetPart | PolicyPart | ObjectivePart
