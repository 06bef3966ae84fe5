"""What guards the calls that a rule takes."""

from weft.kit.value import Value
from weft.model.breaker import Breaker
from weft.model.limits import RateLimits


class Guards(Value):
    """The breaker of its destinations, the limits of its requests, and the plugins that they pass."""

    breaker: Breaker | None = None
    limits: RateLimits | None = None
    plugins: tuple[str, ...] = ()


UNGUARDED = Guards()
