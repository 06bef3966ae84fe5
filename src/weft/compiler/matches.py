"""Conditions on requests as Envoy's ``RouteMatch``."""

from weft._pb.envoy.config.route.v3.route_components_pb2 import HeaderMatcher, QueryParameterMatcher, RouteMatch
from weft._pb.envoy.type.matcher.v3.metadata_pb2 import MetadataMatcher
from weft._pb.envoy.type.matcher.v3.regex_pb2 import RegexMatcher
from weft._pb.envoy.type.matcher.v3.string_pb2 import StringMatcher
from weft._pb.envoy.type.matcher.v3.value_pb2 import ListMatcher, OrMatcher, ValueMatcher
from weft.compiler.access.inputs import PAYLOAD, TOKEN_FILTER
from weft.compiler.names import REFUSED
from weft.compiler.wire import percentage
from weft.model.match import (
    ClaimMatch,
    Exact,
    HeaderMatch,
    HttpMatch,
    PathPrefix,
    Prefix,
    Present,
    QueryMatch,
    Regex,
    TextMatch,
    ValueMatch,
    asks_for_tunnels,
)


def route_match(match: HttpMatch) -> RouteMatch:
    """The match of a route. Headers are sorted by name, as Istio's."""
    found = _path(match)
    if match.ignore_case and not isinstance(match.path, Regex):
        found.case_sensitive.value = False
    pseudo = ((":method", match.method), (":scheme", match.scheme), (":authority", match.authority))
    headers = [HeaderMatch(name=name, match=text) for name, text in pseudo if text is not None]
    headers += sorted(match.headers, key=lambda header: (header.name, header.inverted))
    found.headers.extend(header_matcher(header) for header in headers)
    found.query_parameters.extend(query_matcher(query) for query in sorted(match.query, key=lambda query: query.name))
    found.dynamic_metadata.extend(claim_matcher(one) for one in match.claims)
    if match.refused_by:
        found.dynamic_metadata.append(_refused(match.refused_by))
    if match.share is not None:
        found.runtime_fraction.default_value.CopyFrom(percentage(match.share))
    return found


def _path(match: HttpMatch) -> RouteMatch:
    if asks_for_tunnels(match):
        return RouteMatch(connect_matcher=RouteMatch.ConnectMatcher())
    match match.path:
        case None:
            return RouteMatch(prefix="/")
        case Exact(value=value):
            return RouteMatch(path=value)
        case Prefix(value=value):
            return RouteMatch(prefix=value)
        case Regex(value=value):
            return RouteMatch(safe_regex=RegexMatcher(regex=value))
        case PathPrefix(value=value):
            stripped = value.rstrip("/")
            return RouteMatch(path_separated_prefix=stripped) if stripped else RouteMatch(prefix="/")


def text_matcher(match: ValueMatch) -> StringMatcher:
    """A condition on a text that is there."""
    match match:
        case Exact(value=value):
            return StringMatcher(exact=value)
        case Prefix(value=value):
            return StringMatcher(prefix=value)
        case Regex(value=value):
            return StringMatcher(safe_regex=RegexMatcher(regex=value))


def _is_present(match: TextMatch) -> bool:
    """Istio: an empty text, or the regular expression ``*``, asks only that there is something."""
    return isinstance(match, Present) or match == Regex(value="*") or match.value == ""


def header_matcher(header: HeaderMatch) -> HeaderMatcher:
    """A condition on a header; inverted ones accept requests without it."""
    if isinstance(header.match, Present) or _is_present(header.match):
        return HeaderMatcher(name=header.name, present_match=True, invert_match=header.inverted)
    return HeaderMatcher(
        name=header.name,
        string_match=text_matcher(header.match),
        invert_match=header.inverted,
        treat_missing_header_as_empty=header.inverted,
    )


def query_matcher(query: QueryMatch) -> QueryParameterMatcher:
    """A condition on a query parameter."""
    if isinstance(query.match, Present) or _is_present(query.match):
        return QueryParameterMatcher(name=query.name, present_match=True)
    return QueryParameterMatcher(name=query.name, string_match=text_matcher(query.match))


def _refused(breaker: str) -> MetadataMatcher:
    """What the breakers' filter has noted before it had the route chosen anew."""
    name, key = REFUSED
    value = ValueMatcher(string_match=StringMatcher(exact=breaker))
    return MetadataMatcher(filter=name, path=[MetadataMatcher.PathSegment(key=key)], value=value)


def claim_matcher(claim: ClaimMatch) -> MetadataMatcher:
    """A condition on a claim, as a text or a list of texts, of the token that Envoy verified; nothing that a client
    sends is told there. Inverted ones accept requests without a token."""
    if isinstance(claim.match, Present) or _is_present(claim.match):
        value = ValueMatcher(present_match=True)
    else:
        text = ValueMatcher(string_match=text_matcher(claim.match))
        listed = ValueMatcher(list_match=ListMatcher(one_of=text))
        value = ValueMatcher(or_match=OrMatcher(value_matchers=[text, listed]))
    segments = [MetadataMatcher.PathSegment(key=key) for key in (PAYLOAD, *claim.keys)]
    return MetadataMatcher(filter=TOKEN_FILTER, path=segments, value=value, invert=claim.inverted)
