"""Matches in the model's words, each with its rank: of the rules that fit a request, the most specific one counts.

Source: Gateway API ``HTTPRouteRule.matches`` and ``GRPCRouteRule.matches``. Where the standard is silent, on regular
expressions of paths, they come between exact paths and prefixes.
"""

import re
from collections.abc import Iterable

from weft.dialects.gateway_api.types import grpc_route, http_route
from weft.model.match import Exact, HeaderMatch, HttpMatch, PathMatch, PathPrefix, QueryMatch, Regex, ValueMatch

_EXACT, _REGEX, _PREFIX = 3, 2, 1
_SEGMENT = "[^/]+"


def http_match(match: http_route.HttpRouteMatch) -> HttpMatch:
    """Conditions on a request; those on a name that is there already are ignored."""
    path = _path(match.path or http_route.HttpPathMatch())
    headers = _headers(match.headers)
    query = tuple({one.name: _query(one) for one in reversed(match.query_params)}.values())[::-1]
    return HttpMatch(
        path=path,
        method=Exact(value=match.method) if match.method else None,
        headers=headers,
        query=query,
        rank=(*_path_rank(path), int(match.method is not None), len(headers), len(query)),
    )


def grpc_match(match: grpc_route.GrpcRouteMatch) -> HttpMatch:
    """Conditions on a call: service and method are the segments of its path."""
    method = match.method or grpc_route.GrpcMethodMatch()
    headers = _headers(match.headers)
    return HttpMatch(
        path=_grpc_path(method),
        headers=headers,
        rank=(len(method.service or ""), len(method.method or ""), 0, len(headers), 0),
    )


def _path(path: http_route.HttpPathMatch) -> PathMatch | None:
    """The prefix of all paths is no condition."""
    value = path.value or "/"
    match path.type:
        case "Exact":
            return Exact(value=value)
        case "RegularExpression":
            return Regex(value=value)
    return PathPrefix(value=value) if value.rstrip("/") else None


def _path_rank(path: PathMatch | None) -> tuple[int, int]:
    match path:
        case Exact(value=value):
            return (_EXACT, len(value))
        case Regex(value=value):
            return (_REGEX, len(value))
        case PathPrefix(value=value):
            return (_PREFIX, len(value.rstrip("/")))
    return (_PREFIX, 0)


def _grpc_path(method: grpc_route.GrpcMethodMatch) -> PathMatch | None:
    if not method.service and not method.method:
        return None
    if method.type == "RegularExpression":
        return Regex(value=f"/(?:{method.service or _SEGMENT})/(?:{method.method or _SEGMENT})")
    if not method.method:
        return PathPrefix(value=f"/{method.service}")
    if not method.service:
        return Regex(value=f"/{_SEGMENT}/{re.escape(method.method)}")
    return Exact(value=f"/{method.service}/{method.method}")


def _headers(headers: Iterable[http_route.HttpHeaderMatch]) -> tuple[HeaderMatch, ...]:
    found: dict[str, HeaderMatch] = {}
    for one in headers:
        found.setdefault(one.name.lower(), HeaderMatch(name=one.name.lower(), match=_value(one)))
    return tuple(found.values())


def _query(one: http_route.HttpQueryParamMatch) -> QueryMatch:
    return QueryMatch(name=one.name, match=_value(one))


def _value(one: http_route.HttpHeaderMatch | http_route.HttpQueryParamMatch) -> ValueMatch:
    return Regex(value=one.value) if one.type == "RegularExpression" else Exact(value=one.value)
