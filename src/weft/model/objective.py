"""What a service promises: which calls count, which of them are good, and when somebody is to be told.

The words are OpenSLO's (https://openslo.com, v1), the numbers those of calls: an objective holds when the share of good
ones among all within its window is at least its target.
"""

from weft.kit.value import Value
from weft.model.document import Key

DAY = 86_400.0
LONGEST_WINDOW = 30 * DAY
"""What happened is kept no longer."""


class LabelCondition(Value):
    """A condition on a label of Istio's metrics; ``operator`` is ``=``, ``!=``, ``=~`` or ``!~``."""

    label: str
    operator: str
    value: str


class Counted(Value):
    """Calls that are counted. ``metric`` is a name of Istio's, without ``_bucket`` and the like.

    ``once``: each call once, by its caller's proxy or else by its callee's. ``outcome`` is ``good`` or ``bad`` for
    those that succeeded or did not, "" for all. ``within`` counts those that took so many milliseconds at most.
    """

    metric: str
    conditions: tuple[LabelCondition, ...] = ()
    once: bool = False
    outcome: str = ""
    within: float | None = None


class Target(Value):
    """Where alerts go: ``kind`` is ``webhook``, ``slack`` or ``alertmanager``.

    The address is ``url``, or in the Secret ``secret`` of the namespace (its keys ``url`` and ``key``).
    """

    name: str
    kind: str
    namespace: str = ""
    url: str = ""
    secret: str = ""


class AlertRule(Value):
    """When an alert begins: the budget is used ``threshold`` times as fast as it lasts, over ``long`` seconds.

    ``short`` seconds must say so too, if there are any; ``after``: for so long. ``fires`` and ``resolves`` say what is
    told.
    """

    name: str
    severity: str
    threshold: float
    long: float
    short: float = 0.0
    after: float = 0.0
    fires: bool = True
    resolves: bool = True
    targets: tuple[Target, ...] = ()


class Objective(Value):
    """One target of one document. ``good`` or ``bad`` is counted among ``total``; of a threshold that must be exceeded,
    ``bad`` are those within it.

    ``target`` is a share below 1, ``window`` seconds. ``place`` tells objectives of one document apart.
    """

    key: Key
    name: str
    service: str
    target: float
    window: float
    total: Counted
    good: Counted | None = None
    bad: Counted | None = None
    place: int = 0
    display: str = ""
    description: str = ""
    rules: tuple[AlertRule, ...] = ()

    @property
    def id(self) -> str:
        """Its name among all."""
        return f"{self.key.namespace}/{self.key.name}" + (f"/{self.place}" if self.place else "")


_HOUR = 3600.0
DEFAULT_RULES = (
    AlertRule(name="fast-burn", severity="page", threshold=14.4, long=_HOUR, short=300.0),
    AlertRule(name="burn", severity="page", threshold=6.0, long=6 * _HOUR, short=1800.0),
    AlertRule(name="slow-burn", severity="ticket", threshold=3.0, long=DAY, short=2 * _HOUR),
    AlertRule(name="trickle", severity="ticket", threshold=1.0, long=3 * DAY, short=6 * _HOUR),
)
"""For objectives that name no policy: the Site Reliability Workbook's, "Alerting on SLOs"."""
