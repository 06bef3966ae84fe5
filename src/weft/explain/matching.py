"""Envoy's matching of requests (``envoy.config.route.v3``): virtual hosts by domain, then routes in order.

A match is explained by the first condition that fails; ``None`` means that all hold.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import re2

from weft._pb.envoy.config.route.v3.route_components_pb2 import (
    HeaderMatcher,
    QueryParameterMatcher,
    RouteMatch,
    VirtualHost,
)
from weft._pb.envoy.type.matcher.v3.metadata_pb2 import MetadataMatcher
from weft._pb.envoy.type.matcher.v3.string_pb2 import StringMatcher
from weft._pb.envoy.type.matcher.v3.value_pb2 import ValueMatcher
from weft.compiler.names import REFUSED
from weft.explain.actions import percent_of
from weft.explain.call import Call
from weft.explain.claims import NOTHING, Told

_CONNECT = "CONNECT"


def virtual_host_for(hosts: Sequence[VirtualHost], authority: str) -> tuple[VirtualHost, str] | None:
    """The virtual host of an authority and the domain that won.

    Search order (``VirtualHost.domains``): exact, suffix wildcards from the longest, prefix wildcards from the
    longest, ``*``. A wildcard stands for at least one character; case does not matter.
    """
    wanted = authority.lower()
    matching = [(host, domain) for host in hosts for domain in host.domains if _domain_matches(domain.lower(), wanted)]
    return max(matching, key=lambda pair: _domain_rank(pair[1]), default=None)


def _domain_matches(domain: str, wanted: str) -> bool:
    if domain == "*":
        return True
    if domain.startswith("*"):
        return len(wanted) >= len(domain) and wanted.endswith(domain[1:])
    if domain.endswith("*"):
        return len(wanted) >= len(domain) and wanted.startswith(domain[:-1])
    return domain == wanted


def _domain_rank(domain: str) -> tuple[int, int]:
    if domain == "*":
        return (0, 0)
    if domain.startswith("*"):
        return (2, len(domain))
    if domain.endswith("*"):
        return (1, len(domain))
    return (3, 0)


def mismatch(match: RouteMatch, call: Call, told: Told = NOTHING) -> str | None:
    """The first condition of a route that a call, with what filters told of it, does not meet, in words; ``None`` when
    it meets all."""
    return next(_mismatches(match, call, told), None)


def conditions(match: RouteMatch) -> tuple[str, ...]:
    """All conditions of a route in words; for a route that takes everything, none."""
    path = _path_words(match)
    found = [path] if path != "path starts with /" else []
    found.extend(_header_words(header) for header in match.headers)
    found.extend(_query_words(query) for query in match.query_parameters)
    found.extend(_told_words(one) for one in match.dynamic_metadata)
    if match.HasField("runtime_fraction"):
        found.append(f"draw is below {percent_of(match.runtime_fraction.default_value):g} %")
    return tuple(found)


def _mismatches(match: RouteMatch, call: Call, told: Told) -> Iterator[str]:
    if match.HasField("connect_matcher") != (call.method == _CONNECT):
        yield "is a CONNECT" if match.HasField("connect_matcher") else "has a path"
    elif not match.HasField("connect_matcher") and not _path_matches(match, call.path):
        yield _path_words(match)
    yield from (_header_words(header) for header in match.headers if not header_matches(header, call))
    query = _query(call.path)
    yield from (_query_words(one) for one in match.query_parameters if not _query_matches(one, query))
    yield from (_told_words(one) for one in match.dynamic_metadata if not _told_matches(one, told))
    if match.HasField("grpc") and not (call.header("content-type") or "").startswith("application/grpc"):
        yield "is a gRPC call"
    if match.HasField("runtime_fraction") and not match.runtime_fraction.default_value.numerator:
        yield "is among the 0 % that are taken"


def _path_matches(match: RouteMatch, path: str) -> bool:
    """On the path without query and fragment; ``case_sensitive`` does not touch regular expressions."""
    plain = path.partition("#")[0].partition("?")[0]
    fold = match.HasField("case_sensitive") and not match.case_sensitive.value
    seen = plain.lower() if fold else plain
    match match.WhichOneof("path_specifier"):
        case "prefix":
            return seen.startswith(_folded(match.prefix, fold))
        case "path":
            return seen == _folded(match.path, fold)
        case "path_separated_prefix":
            wanted = _folded(match.path_separated_prefix, fold)
            return seen == wanted or seen.startswith(f"{wanted}/")
        case "safe_regex":
            return _regex_matches(match.safe_regex.regex, plain)
        case _:
            return False


def header_matches(matcher: HeaderMatcher, call: Call) -> bool:
    """``HeaderMatcher``: an absent header fails every condition on its value, even an inverted one, unless it counts as
    empty; only presence can be asked of it."""
    value = call.header(matcher.name.lower())
    kind = matcher.WhichOneof("header_match_specifier")
    if value is None and matcher.treat_missing_header_as_empty and kind != "present_match":
        value = ""
    if kind in (None, "present_match"):
        wanted = matcher.present_match if kind else True
        return ((value is not None) == wanted) != matcher.invert_match
    if value is None:
        return False
    return _value_matches(matcher, kind, value) != matcher.invert_match


def _value_matches(matcher: HeaderMatcher, kind: str, value: str) -> bool:
    match kind:
        case "string_match":
            return string_matches(matcher.string_match, value)
        case "exact_match":
            return value == matcher.exact_match
        case "prefix_match":
            return value.startswith(matcher.prefix_match)
        case "suffix_match":
            return value.endswith(matcher.suffix_match)
        case "contains_match":
            return matcher.contains_match in value
        case "safe_regex_match":
            return _regex_matches(matcher.safe_regex_match.regex, value)
        case "range_match":
            number = _integer(value)
            return number is not None and matcher.range_match.start <= number < matcher.range_match.end
        case _:
            return False


def string_matches(matcher: StringMatcher, value: str) -> bool:
    """``StringMatcher``; ``ignore_case`` does not touch regular expressions."""
    seen = _folded(value, matcher.ignore_case)
    match matcher.WhichOneof("match_pattern"):
        case "exact":
            return seen == _folded(matcher.exact, matcher.ignore_case)
        case "prefix":
            return seen.startswith(_folded(matcher.prefix, matcher.ignore_case))
        case "suffix":
            return seen.endswith(_folded(matcher.suffix, matcher.ignore_case))
        case "contains":
            return _folded(matcher.contains, matcher.ignore_case) in seen
        case "safe_regex":
            return _regex_matches(matcher.safe_regex.regex, value)
        case _:
            return False


def string_words(matcher: StringMatcher) -> str:
    """A string matcher in words."""
    words = {"exact": "is", "prefix": "starts with", "suffix": "ends with", "contains": "contains"}
    kind = matcher.WhichOneof("match_pattern")
    if kind == "safe_regex":
        return f"matches {matcher.safe_regex.regex}"
    text = f"{words[kind]} {getattr(matcher, kind)}" if kind in words else "is of an unknown shape"
    return f"{text} in any case" if matcher.ignore_case else text


def _query_matches(matcher: QueryParameterMatcher, query: dict[str, str]) -> bool:
    value = query.get(matcher.name)
    match matcher.WhichOneof("query_parameter_match_specifier"):
        case "string_match":
            return value is not None and string_matches(matcher.string_match, value)
        case "present_match":
            return (value is not None) == matcher.present_match
        case _:
            return value is not None


def _query(path: str) -> dict[str, str]:
    """The first value of every parameter, as it is written: Envoy compares without decoding."""
    found: dict[str, str] = {}
    for part in path.partition("#")[0].partition("?")[2].split("&"):
        name, _, value = part.partition("=")
        if name:
            found.setdefault(name, value)
    return found


def _told_matches(matcher: MetadataMatcher, told: Told) -> bool:
    """``MetadataMatcher``: the value that the path leads to; one that is not there meets inverted conditions only."""
    value: Any = told.get(matcher.filter)
    for segment in matcher.path:
        value = value.get(segment.key) if isinstance(value, Mapping) else None
    return _said(matcher.value, value) != matcher.invert


def _said(matcher: ValueMatcher, value: object) -> bool:
    match matcher.WhichOneof("match_pattern"):
        case "present_match":
            return value is not None
        case "string_match":
            return isinstance(value, str) and string_matches(matcher.string_match, value)
        case "list_match":
            return isinstance(value, list) and any(_said(matcher.list_match.one_of, one) for one in value)
        case "or_match":
            return any(_said(one, value) for one in matcher.or_match.value_matchers)
        case _:
            return False


def _told_words(matcher: MetadataMatcher) -> str:
    if matcher.filter == REFUSED[0]:
        return f"breaker {matcher.value.string_match.exact} is open"
    name = f"claim {'.'.join(segment.key for segment in matcher.path[1:])}"
    texts = [one.string_match for one in matcher.value.or_match.value_matchers if one.HasField("string_match")]
    words = string_words(texts[0]) if texts else "is present"
    return f"not ({name} {words})" if matcher.invert else f"{name} {words}"


def _path_words(match: RouteMatch) -> str:
    words = {"prefix": "path starts with", "path": "path is", "path_separated_prefix": "path is or is under"}
    kind = match.WhichOneof("path_specifier")
    if kind == "connect_matcher":
        return "method is CONNECT"
    if kind == "safe_regex":
        return f"path matches {match.safe_regex.regex}"
    return f"{words[kind]} {getattr(match, kind)}" if kind in words else "path is of an unknown shape"


def _header_words(matcher: HeaderMatcher) -> str:
    name = {":method": "method", ":authority": "authority", ":scheme": "scheme"}.get(
        matcher.name, f"header {matcher.name}"
    )
    kind = matcher.WhichOneof("header_match_specifier")
    if kind == "string_match":
        words = string_words(matcher.string_match)
    elif kind in (None, "present_match"):
        words = "is present" if kind is None or matcher.present_match else "is absent"
    else:
        words = f"{kind.removesuffix('_match').replace('_', ' ')} {getattr(matcher, kind)}".strip()
    return f"not ({name} {words})" if matcher.invert_match else f"{name} {words}"


def _query_words(matcher: QueryParameterMatcher) -> str:
    if matcher.WhichOneof("query_parameter_match_specifier") == "string_match":
        return f"parameter {matcher.name} {string_words(matcher.string_match)}"
    return f"parameter {matcher.name} is present"


def _regex_matches(pattern: str, value: str) -> bool:
    return re2.fullmatch(pattern, value) is not None


def _folded(text: str, fold: bool) -> str:
    return text.lower() if fold else text


def _integer(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def joined(words: Iterable[str]) -> str:
    """Conditions as one sentence."""
    return " and ".join(words) or "everything"
