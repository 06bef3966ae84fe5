"""Something that somebody should know: since when, how bad, whose, and with which numbers."""

from weft.kit.value import Labels, Value
from weft.model.objective import Target


class Alert(Value):
    """``id`` tells it apart from others for as long as it lasts. ``kind`` is ``slo``, ``anomaly`` or ``health``.

    ``since`` and ``ended`` are seconds since the epoch; it goes on while it has not ended. ``evidence`` are numbers and
    facts for people. ``targets`` are those that are told besides the operator's; ``fires`` and ``resolves`` say what
    they are told.
    """

    id: str
    kind: str
    name: str
    severity: str
    summary: str
    since: float
    namespace: str = ""
    service: str = ""
    ended: float | None = None
    labels: Labels = ()
    evidence: Labels = ()
    targets: tuple[Target, ...] = ()
    fires: bool = True
    resolves: bool = True

    @property
    def firing(self) -> bool:
        """Whether it goes on."""
        return self.ended is None
