"""Rate limits: how many requests pass, counted for what, by each proxy alone or by all together."""

from weft.kit.value import Value
from weft.model.attachment import Attachment
from weft.model.match import Exact, HeaderMatch, Prefix, QueryMatch


class ByIdentity(Value):
    """The caller that its certificate proves."""


class ByAddress(Value):
    """The caller's address, or the network of so many bits that it is in."""

    ipv4_bits: int = 32
    ipv6_bits: int = 128


class ByHeader(Value):
    """A header's value; requests without it are not counted."""

    name: str


class ByQuery(Value):
    """A query parameter's value; requests without it are not counted."""

    name: str


class ByPath(Value):
    """The path without the query."""


class ByMethod(Value):
    """The method."""


class ByClaim(Value):
    """A claim of the token that was verified; requests without it are not counted."""

    path: tuple[str, ...]


By = ByIdentity | ByAddress | ByHeader | ByQuery | ByPath | ByMethod | ByClaim


class Requests(Value):
    """The requests that a limit counts: those for which all of these hold. ``identities`` are SPIFFE IDs."""

    path: Exact | Prefix | None = None
    methods: tuple[str, ...] = ()
    headers: tuple[HeaderMatch, ...] = ()
    query: tuple[QueryMatch, ...] = ()
    identities: tuple[str, ...] = ()


class Limit(Value):
    """``requests`` in ``period`` seconds for each value of ``by``; every one costs ``cost``.

    Not ``shared``: a bucket of ``burst`` at each proxy. ``shared``: counted by the control plane for all of them, in
    windows that stand still or, ``sliding``, in one that moves. ``shadow``: counted and never refused.
    """

    name: str
    requests: int
    period: int
    burst: int
    shared: bool = False
    sliding: bool = False
    by: tuple[By, ...] = ()
    counted: Requests = Requests()
    shadow: bool = False
    cost: int = 1


class Connections(Value):
    """New connections: a bucket of ``burst`` that ``rate`` are added to in each ``period`` of seconds."""

    rate: int
    period: int
    burst: int


class Answer(Value):
    """What a request that is too much gets."""

    status: int = 429
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    told: bool = True
    """Whether answers tell the limit, what is left of it and when it starts anew."""


class RateLimits(Value):
    """The limits of one document. ``closed``: requests are refused when shared limits cannot be asked for within
    ``timeout`` milliseconds. ``max_keys`` values of ``by`` are remembered by each proxy."""

    name: str
    limits: tuple[Limit, ...] = ()
    connections: Connections | None = None
    answer: Answer = Answer()
    closed: bool = False
    timeout: int = 100
    max_keys: int = 10_000

    @property
    def local(self) -> tuple[Limit, ...]:
        """Those that each proxy counts alone."""
        return tuple(limit for limit in self.limits if not limit.shared)

    @property
    def shared(self) -> tuple[Limit, ...]:
        """Those that are counted for all proxies together."""
        return tuple(limit for limit in self.limits if limit.shared)


class RateLimitPolicy(Value):
    """Limits and what they hold for: the sidecars of a service, a gateway, the rules of a route."""

    attachment: Attachment
    limits: RateLimits
