"""What ends, and when somebody should see to it: long before, and later for what weft renews by itself."""

from weft.kit.value import Value

_DAY = 86400.0
_LONGEST = {"root": 180 * _DAY}
_LONG = 60 * _DAY


class Ending(Value):
    """Something that ends: ``kind`` is root, intermediate, server, workload, secret or token.

    ``expires`` is seconds since the epoch, ``life`` all its seconds. ``renewed``: weft replaces it by itself.
    ``signs``: workloads' certificates are signed with it now.
    """

    kind: str
    name: str
    expires: float
    life: float
    renewed: bool = False
    signs: bool = False


def worrying(ending: Ending, now: float) -> bool:
    """Whether somebody should be told.

    What is renewed by weft (at half of its life, or with a third left) when a quarter is left; anything else in the
    last third of its life, and not before 60 days from its end, 180 for a root.
    """
    left = ending.expires - now
    if ending.renewed:
        return left < ending.life / 4
    return left < min(ending.life / 3, _LONGEST.get(ending.kind, _LONG))
