"""A RateLimitPolicy in the model's words."""

from weft.dialects.fragment import Fragment
from weft.dialects.served import Subject
from weft.dialects.syntax import milliseconds
from weft.dialects.weft.translate.targets import attachment_of
from weft.dialects.weft.types import rate_limit_policy as wire
from weft.dialects.weft.types.answers import Answer as WireAnswer
from weft.kit.value import labels_of
from weft.model.limits import (
    Answer,
    By,
    ByAddress,
    ByClaim,
    ByHeader,
    ByIdentity,
    ByMethod,
    ByPath,
    ByQuery,
    Connections,
    Limit,
    RateLimitPolicy,
    RateLimits,
    Requests,
)
from weft.model.match import Exact, HeaderMatch, Prefix, Present, QueryMatch

_SECONDS = {"Second": 1, "Minute": 60, "Hour": 3600, "Day": 86_400}


def translate(spec: wire.RateLimitPolicy, subject: Subject) -> Fragment:
    """One policy."""
    found = RateLimitPolicy(attachment=attachment_of(spec, subject), limits=_limits(spec, subject))
    return Fragment(key=subject.key, rate_limits=(found,))


def _limits(spec: wire.RateLimitPolicy, subject: Subject) -> RateLimits:
    timeout = milliseconds(spec.timeout)
    return RateLimits(
        name=f"{subject.key.namespace}/{subject.key.name}",
        limits=tuple(_limit(one, index) for index, one in enumerate(spec.limits)),
        connections=_connections(spec.connections) if spec.connections else None,
        answer=_answer(spec),
        closed=spec.on_failure == "Deny",
        timeout=100 if timeout is None else timeout,
        max_keys=spec.max_keys or 10_000,
    )


def _answer(spec: wire.RateLimitPolicy) -> Answer:
    said = spec.response or WireAnswer()
    return Answer(
        status=said.status or 429,
        body=said.body or "",
        headers=labels_of(said.headers),
        told=spec.headers != "Off",
    )


def _limit(one: wire.Limit, index: int) -> Limit:
    return Limit(
        name=one.name or str(index),
        requests=one.requests,
        period=_SECONDS[one.per],
        burst=one.burst or one.requests,
        shared=one.scope == "Global",
        sliding=one.window == "Sliding",
        by=tuple(_by(dimension) for dimension in one.by),
        counted=_requests(one.when) if one.when else Requests(),
        shadow=one.mode == "Shadow",
        cost=one.cost or 1,
    )


def _connections(one: wire.Connections) -> Connections:
    return Connections(rate=one.connections, period=_SECONDS[one.per], burst=one.burst or one.connections)


def _by(one: wire.Dimension) -> By:
    if one.client_address is not None:
        four, six = one.client_address.ipv4_prefix_length, one.client_address.ipv6_prefix_length
        return ByAddress(ipv4_bits=32 if four is None else four, ipv6_bits=128 if six is None else six)
    if one.header is not None:
        return ByHeader(name=one.header.name.lower())
    if one.query_parameter is not None:
        return ByQuery(name=one.query_parameter.name)
    if one.claim is not None:
        return ByClaim(path=one.claim.path)
    if one.path is not None:
        return ByPath()
    return ByMethod() if one.method is not None else ByIdentity()


def _requests(condition: wire.Condition) -> Requests:
    return Requests(
        path=_path(condition.path) if condition.path else None,
        methods=condition.methods,
        headers=tuple(HeaderMatch(name=one.name.lower(), match=_text(one)) for one in condition.headers),
        query=tuple(QueryMatch(name=one.name, match=_text(one)) for one in condition.query_parameters),
        identities=condition.client_identities,
    )


def _path(condition: wire.TextCondition) -> Exact | Prefix | None:
    found = _text(condition)
    return None if isinstance(found, Present) else found


def _text(condition: wire.TextCondition) -> Exact | Prefix | Present:
    if condition.exact is not None:
        return Exact(value=condition.exact)
    return Present() if condition.prefix is None else Prefix(value=condition.prefix)
