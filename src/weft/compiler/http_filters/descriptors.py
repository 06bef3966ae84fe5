"""How a request becomes the descriptor of a limit: its name, the conditions that hold, the values that count apart."""

import re
from collections.abc import Iterator

from weft._pb.envoy.config.route.v3.route_components_pb2 import HeaderMatcher, QueryParameterMatcher, RateLimit
from weft._pb.envoy.type.matcher.v3.regex_pb2 import RegexMatcher
from weft._pb.envoy.type.matcher.v3.string_pb2 import StringMatcher
from weft._pb.envoy.type.metadata.v3.metadata_pb2 import MetadataKey
from weft.compiler.matches import header_matcher, query_matcher
from weft.compiler.wire import number
from weft.model.limits import (
    By,
    ByAddress,
    ByClaim,
    ByHeader,
    ByIdentity,
    ByMethod,
    ByPath,
    ByQuery,
    Limit,
    RateLimits,
    Requests,
)
from weft.model.match import Exact, Prefix

LIMIT = "limit"
"""The key of the entry that names the limit."""

_WHEN = "when"
_ASKED = "asked"
_HOLDS = "holds"
_NOBODY = "-"
_Action = RateLimit.Action
_CLAIMS = "envoy.filters.http.jwt_authn"


def key_of(limits: RateLimits, limit: Limit) -> str:
    """The name by which the control plane knows a limit: ``<namespace>/<policy>/<limit>``."""
    return f"{limits.name}/{limit.name}"


def actions_of(limit: Limit, name: str) -> list[RateLimit.Action]:
    """One entry each; a request without one of them is not counted."""
    named = _Action(generic_key=_Action.GenericKey(descriptor_key=LIMIT, descriptor_value=name))
    return [named, *_conditions(limit.counted), *(_value(one, _key(one, index)) for index, one in enumerate(limit.by))]


def keys_of(limit: Limit) -> list[tuple[str, str]]:
    """The entries after the name, as a bucket names them: conditions hold, values are any."""
    conditions = ((_WHEN, _headers(limit.counted)), (_ASKED, limit.counted.query))
    held = [(key, _HOLDS) for key, some in conditions if some]
    return [*held, *((_key(one, index), "") for index, one in enumerate(limit.by))]


def _key(by: By, index: int) -> str:
    """Envoy lets every key be chosen but one."""
    return "masked_remote_address" if isinstance(by, ByAddress) and _is_masked(by) else f"by{index}"


def _is_masked(by: ByAddress) -> bool:
    return (by.ipv4_bits, by.ipv6_bits) != (32, 128)


def _conditions(counted: Requests) -> Iterator[RateLimit.Action]:
    if headers := _headers(counted):
        yield _Action(
            header_value_match=_Action.HeaderValueMatch(descriptor_key=_WHEN, descriptor_value=_HOLDS, headers=headers)
        )
    if queries := [query_matcher(one) for one in counted.query]:
        yield _Action(query_parameter_value_match=_asked(queries))


def _asked(queries: list[QueryParameterMatcher]) -> RateLimit.Action.QueryParameterValueMatch:
    return _Action.QueryParameterValueMatch(descriptor_key=_ASKED, descriptor_value=_HOLDS, query_parameters=queries)


def _headers(counted: Requests) -> list[HeaderMatcher]:
    found = [header_matcher(one) for one in counted.headers]
    match counted.path:
        case Exact(value=value):
            found.append(_matches(":path", rf"{re.escape(value)}(?:\?.*)?"))
        case Prefix(value=value):
            found.append(HeaderMatcher(name=":path", string_match=StringMatcher(prefix=value)))
        case None:
            pass
    if counted.methods:
        found.append(_matches(":method", "|".join(counted.methods)))
    if counted.identities:
        identities = "|".join(re.escape(one) for one in counted.identities)
        found.append(_matches("x-forwarded-client-cert", rf"{_ELEMENTS}URI=(?:{identities})(?:[;,].*)?"))
    return found


_ELEMENTS = r'(?:(?:[^";,]|"(?:[^"\\]|\\.)*")*;)*'
"""What may stand before the caller's name in the header that the proxy wrote: a quoted text can hold anything."""


def _matches(name: str, regex: str) -> HeaderMatcher:
    return HeaderMatcher(name=name, string_match=StringMatcher(safe_regex=RegexMatcher(regex=regex)))


def _value(by: By, key: str) -> RateLimit.Action:
    match by:
        case ByIdentity():
            return _formatted(key, "%DOWNSTREAM_PEER_URI_SAN%")
        case ByPath():
            return _formatted(key, "%PATH(NQ)%")
        case ByMethod():
            return _header(key, ":method")
        case ByHeader(name=name):
            return _header(key, name)
        case ByQuery(name=name):
            parameters = _Action.QueryParameters(query_parameter_name=name, descriptor_key=key)
            return _Action(query_parameters=parameters)
        case ByAddress():
            return _address(key, by)
        case ByClaim(path=path):
            return _claim(key, path)


def _formatted(key: str, text: str) -> RateLimit.Action:
    return _Action(generic_key=_Action.GenericKey(descriptor_key=key, descriptor_value=text, default_value=_NOBODY))


def _header(key: str, name: str) -> RateLimit.Action:
    return _Action(request_headers=_Action.RequestHeaders(header_name=name, descriptor_key=key))


def _address(key: str, by: ByAddress) -> RateLimit.Action:
    if not _is_masked(by):
        return _formatted(key, "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%")
    lengths = _Action.MaskedRemoteAddress(
        v4_prefix_mask_len=number(by.ipv4_bits), v6_prefix_mask_len=number(by.ipv6_bits)
    )
    return _Action(masked_remote_address=lengths)


def _claim(key: str, path: tuple[str, ...]) -> RateLimit.Action:
    steps = [MetadataKey.PathSegment(key=step) for step in ("payload", *path)]
    metadata = MetadataKey(key=_CLAIMS, path=steps)
    return _Action(metadata=_Action.MetaData(descriptor_key=key, metadata_key=metadata))
