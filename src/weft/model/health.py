"""How well the parts of a mesh are: checks with names, the same for the command line, dashboards and alerts."""

from collections.abc import Iterable
from enum import Enum

from weft.kit.value import Value


class Level(Enum):
    """How one thing is, the worst last."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Check(Value):
    """One thing that was looked at. ``name`` is stable, so that it can be looked up and silenced.

    ``group`` is control plane, store, proxies, certificates, sinks, documents or traffic. ``help`` is what to do about
    it; ``namespace`` whose it is, "" for the whole mesh.
    """

    name: str
    group: str
    level: Level
    message: str
    help: str = ""
    namespace: str = ""


_ORDER = (Level.OK, Level.WARN, Level.FAIL)


def worst(checks: Iterable[Check]) -> Level:
    """The worst level among checks; all is well where there are none."""
    return max((one.level for one in checks), key=_ORDER.index, default=Level.OK)
