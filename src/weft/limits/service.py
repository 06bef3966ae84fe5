"""What a proxy asks of the limits that are shared, and the answer: Envoy's ``RateLimitService``, without its transport.

A limit is asked for by its name; what it allows, the mesh says and never the request. A proxy may ask for those that it
was given. One that nobody has any more lets everything pass: the proxy has not heard of it yet.
"""

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError

from weft._pb.envoy.extensions.common.ratelimit.v3.ratelimit_pb2 import RateLimitDescriptor
from weft._pb.envoy.service.ratelimit.v3.rls_pb2 import RateLimitRequest, RateLimitResponse
from weft.kit.errors import PeerError
from weft.kit.value import Value
from weft.limits.counting import Ask, Counters, Told
from weft.model.identity import Identity
from weft.model.limits import Limit

DOMAIN = "weft"
_MOST_DESCRIPTORS = 64
_MOST_COST = 1_000_000
_MOST_TALLIES = 10_000
_LONGEST_SHOWN = 100
_NAME = "limit"
_CONDITIONS = ("when", "asked")
_Answer = RateLimitResponse
_UNITS = {
    1: _Answer.RateLimit.SECOND,
    60: _Answer.RateLimit.MINUTE,
    3600: _Answer.RateLimit.HOUR,
    86_400: _Answer.RateLimit.DAY,
}


class Malformed(PeerError):
    """The request breaks the protocol (``INVALID_ARGUMENT``)."""


class Denied(PeerError):
    """The proxy asks for a limit that is not its own (``PERMISSION_DENIED``)."""


class Shared(Value):
    """A limit that is shared, and the text of the answer to a request that is too much."""

    limit: Limit
    body: str = ""


class Tally(Value):
    """What one caller, or whatever is counted apart, asked of a limit since the control plane began."""

    limit: str
    values: tuple[str, ...]
    passed: int
    refused: int


class Limits(Value):
    """``own``: by name, those that a proxy may ask for; ``known``: the names of all that there are."""

    own: Mapping[str, Shared]
    known: frozenset[str]


LimitsOf = Callable[[Identity], Limits]


class LimitService:
    """Answers requests. ``limits_of`` says what a proxy may ask for."""

    def __init__(self, counters: Counters, limits_of: LimitsOf) -> None:
        self._counters = counters
        self._limits_of = limits_of
        self._tallies: OrderedDict[tuple[str, tuple[str, ...]], Counter[bool]] = OrderedDict()

    async def answer(self, identity: Identity, request: bytes) -> bytes:
        """Raises ``Malformed``, ``Denied`` and ``Unavailable``."""
        asked = _read(request)
        limits = self._limits_of(identity)
        found = [self._asked(limits, descriptor, asked.hits_addend) for descriptor in asked.descriptors]
        asks = tuple(one[2] for one in found if one)
        told = await self._counters.take(asks) if asks else ()
        return self._answered(found, told).SerializeToString()

    def tallies(self) -> tuple[Tally, ...]:
        """Who asked for what, the busiest of each limit first."""
        found = [
            Tally(limit=limit, values=values, passed=counts[True], refused=counts[False])
            for (limit, values), counts in self._tallies.items()
        ]
        return tuple(sorted(found, key=lambda one: (one.limit, -one.refused, -one.passed, one.values)))

    def _asked(
        self, limits: Limits, descriptor: RateLimitDescriptor, cost: int
    ) -> tuple[Shared, tuple[str, ...], Ask] | None:
        name, *rest = [(entry.key, entry.value) for entry in descriptor.entries] or [("", "")]
        if name[0] != _NAME:
            raise Malformed("a descriptor begins with the name of a limit")
        shared = limits.own.get(name[1])
        if shared is None:
            if name[1] in limits.known:
                raise Denied(f"the limit {name[1][:200]} is not one of this proxy's")
            return None
        values = tuple(value for key, value in rest if key not in _CONDITIONS)
        limit = shared.limit
        given = descriptor.hits_addend.value if descriptor.HasField("hits_addend") else cost
        ask = Ask(
            key=_key(name[1], values),
            allowed=limit.requests,
            period=limit.period,
            cost=min(given or 1, _MOST_COST),
            sliding=limit.sliding,
            shadow=limit.shadow,
        )
        return shared, (name[1], *values), ask

    def _answered(
        self, found: list[tuple[Shared, tuple[str, ...], Ask] | None], told: tuple[Told, ...]
    ) -> RateLimitResponse:
        answer = _Answer(overall_code=_Answer.OK)
        answers = iter(told)
        for one in found:
            if one is None:
                answer.statuses.add(code=_Answer.OK)
                continue
            shared, (name, *values), ask = one
            said = next(answers)
            self._count((name, tuple(values)), enough=said.enough)
            answer.statuses.append(_status(name, shared.limit, said))
            if not said.enough and not ask.shadow:
                answer.overall_code = _Answer.OVER_LIMIT
                answer.raw_body = answer.raw_body or shared.body.encode()
        return answer

    def _count(self, key: tuple[str, tuple[str, ...]], *, enough: bool) -> None:
        shown = (key[0], tuple(value[:_LONGEST_SHOWN] for value in key[1]))
        self._tallies.setdefault(shown, Counter())[enough] += 1
        self._tallies.move_to_end(shown)
        if len(self._tallies) > _MOST_TALLIES:
            self._tallies.popitem(last=False)


def _read(request: bytes) -> RateLimitRequest:
    try:
        asked = RateLimitRequest.FromString(request)
    except DecodeError as wrong:
        raise Malformed("this is no RateLimitRequest") from wrong
    if asked.domain != DOMAIN:
        raise Malformed(f"the domain is {DOMAIN}, not {asked.domain[:100]!r}")
    if not 0 < len(asked.descriptors) <= _MOST_DESCRIPTORS:
        raise Malformed(f"a request has 1 to {_MOST_DESCRIPTORS} descriptors")
    return asked


def _key(name: str, values: tuple[str, ...]) -> str:
    """What is counted under: values of any length and content make a short key."""
    digest = hashlib.blake2b(digest_size=16)
    for value in values:
        digest.update(len(value).to_bytes(8, "big") + value.encode(errors="surrogatepass"))
    return f"{name}:{digest.hexdigest()}"


def _status(name: str, limit: Limit, told: Told) -> RateLimitResponse.DescriptorStatus:
    """What is told of a limit; of one that only counts, that it let the request pass."""
    if limit.shadow:
        return _Answer.DescriptorStatus(code=_Answer.OK)
    whole = int(told.reset)
    return _Answer.DescriptorStatus(
        code=_Answer.OK if told.enough else _Answer.OVER_LIMIT,
        current_limit=_Answer.RateLimit(
            name=name, requests_per_unit=limit.requests, unit=_UNITS.get(limit.period, _Answer.RateLimit.UNKNOWN)
        ),
        limit_remaining=min(told.remaining, 2**32 - 1),
        duration_until_reset=Duration(seconds=whole, nanos=int((told.reset - whole) * 1e9)),
    )
