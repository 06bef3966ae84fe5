"""What a proxy may ask of shared limits, and how it is answered."""

import pytest
from google.protobuf.wrappers_pb2 import UInt64Value

from weft._pb.envoy.extensions.common.ratelimit.v3.ratelimit_pb2 import RateLimitDescriptor
from weft._pb.envoy.service.ratelimit.v3.rls_pb2 import RateLimitRequest, RateLimitResponse
from weft.kit.clock import FakeClock
from weft.limits.memory import MemoryCounters
from weft.limits.service import Denied, Limits, LimitService, Malformed, Shared
from weft.model.identity import Identity
from weft.model.limits import ByHeader, Limit

_WEB = Identity(trust_domain="cluster.local", namespace="shop", account="web")
_OTHER = Identity(trust_domain="cluster.local", namespace="shop", account="other")
_LIMIT = Limit(name="user", requests=2, period=60, burst=2, shared=True, by=(ByHeader(name="x-user"),))
_SHADOW = Limit(name="shadow", requests=1, period=60, burst=1, shared=True, shadow=True)


def _service() -> LimitService:
    own = {"shop/orders/user": Shared(limit=_LIMIT, body="later"), "shop/orders/shadow": Shared(limit=_SHADOW)}

    def limits_of(identity: Identity) -> Limits:
        return Limits(own=own if identity == _WEB else {}, known=frozenset(own))

    return LimitService(MemoryCounters(FakeClock(6000.0)), limits_of)


def _request(*entries: tuple[str, str], domain: str = "weft", cost: int = 0) -> bytes:
    descriptor = RateLimitDescriptor(
        entries=[RateLimitDescriptor.Entry(key=key, value=value) for key, value in entries]
    )
    if cost:
        descriptor.hits_addend.CopyFrom(UInt64Value(value=cost))
    return RateLimitRequest(domain=domain, descriptors=[descriptor]).SerializeToString()


async def _ask(service: LimitService, request: bytes, identity: Identity = _WEB) -> RateLimitResponse:
    return RateLimitResponse.FromString(await service.answer(identity, request))


_USER = ("limit", "shop/orders/user")


@pytest.mark.asyncio
async def test_each_value_has_a_count_of_its_own_and_is_told_what_is_left():
    service = _service()
    answers = [await _ask(service, _request(_USER, ("by0", user))) for user in ("ann", "ann", "bob", "ann")]
    assert [one.overall_code for one in answers] == [RateLimitResponse.OK] * 3 + [RateLimitResponse.OVER_LIMIT]
    assert [one.statuses[0].limit_remaining for one in answers] == [1, 0, 1, 0]
    status = answers[3].statuses[0]
    assert (status.current_limit.requests_per_unit, status.duration_until_reset.seconds) == (2, 60)
    assert status.current_limit.unit == RateLimitResponse.RateLimit.MINUTE
    assert answers[3].raw_body == b"later"
    assert not answers[0].raw_body
    assert [(one.values, one.passed, one.refused) for one in service.tallies()] == [(("ann",), 2, 1), (("bob",), 1, 0)]


@pytest.mark.asyncio
async def test_values_cannot_be_glued_together_to_share_a_count():
    service = _service()
    assert (await _ask(service, _request(_USER, ("by0", "a"), ("by1", "bc"), cost=2))).overall_code == 1
    assert (await _ask(service, _request(_USER, ("by0", "ab"), ("by1", "c"), cost=2))).overall_code == 1


@pytest.mark.asyncio
async def test_a_limit_that_only_counts_is_not_told_to_the_caller():
    service = _service()
    answers = [await _ask(service, _request(("limit", "shop/orders/shadow"))) for _ in range(3)]
    assert {one.overall_code for one in answers} == {RateLimitResponse.OK}
    assert not answers[2].statuses[0].HasField("current_limit")
    assert [(one.passed, one.refused) for one in service.tallies()] == [(1, 2)]


@pytest.mark.asyncio
async def test_a_proxy_may_not_ask_for_the_limits_of_others():
    with pytest.raises(Denied, match="not one of this proxy's"):
        await _ask(_service(), _request(_USER), _OTHER)


@pytest.mark.asyncio
async def test_a_limit_that_is_gone_lets_everything_pass():
    answer = await _ask(_service(), _request(("limit", "shop/orders/gone")))
    assert answer.overall_code == RateLimitResponse.OK
    assert len(answer.statuses) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "request_",
    [
        b"\xff",
        _request(_USER, domain="other"),
        _request(("user", "ann")),
        RateLimitRequest(domain="weft").SerializeToString(),
    ],
    ids=["bytes", "domain", "no limit", "empty"],
)
async def test_what_breaks_the_protocol_is_refused(request_: bytes):
    with pytest.raises(Malformed):
        await _ask(_service(), request_)
