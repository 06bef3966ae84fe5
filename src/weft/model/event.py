"""Something that happened in the mesh, in one line."""

from enum import Enum

from weft.kit.value import Value


class Kind(Enum):
    """What it is about."""

    CONFIG = "config"
    PROXY = "proxy"
    ENDPOINT = "endpoint"
    CERTIFICATE = "certificate"
    HEALTH = "health"
    SLO = "slo"
    ANOMALY = "anomaly"
    BREAKER = "breaker"


class Event(Value):
    """``reason`` is one word (``Applied``), ``object`` what it happened to (``VirtualService`` and its name).

    ``at`` is when it happened first, ``last`` the last time, ``count`` how often: what happens again soon is the same
    event. ``who`` did it, if somebody did. ``warning``: whether somebody should look.
    """

    at: float
    kind: Kind
    reason: str
    message: str
    object: str = ""
    name: str = ""
    namespace: str = ""
    who: str = ""
    warning: bool = False
    last: float = 0.0
    count: int = 1
    number: int = 0
