"""Spans of the calls that one route sends: other percentages than the proxy's, or none at all.

Routes are shared by proxies, so what they say is free of a proxy's mark: their rules are those of the proxy's filter,
but name what is done instead of saying it, and the filter knows it by these names. Which calls came without
``traceparent`` the proxy's mark cannot say then: a listener whose routes may say something writes it in the header of
weft's own that all routes take away.
"""

from collections.abc import Iterator

from google.protobuf.any_pb2 import Any

from weft._pb.envoy.extensions.filters.http.composite.v3.composite_pb2 import (
    CompositePerRoute,
    ExecuteFilterAction,
    FilterChainConfiguration,
)
from weft._pb.xds.type.matcher.v3.matcher_pb2 import Matcher
from weft._pb.xds.type.matcher.v3.string_pb2 import StringMatcher as Text
from weft.compiler.telemetry.span_parts import FILTER, RECORDED, action, begun, followed, like, rule, rules_of
from weft.compiler.telemetry.span_rules import of_fresh, of_recorded
from weft.compiler.wire import packed
from weft.kit.memo import memo
from weft.model.reporting import PEER_HEADER
from weft.model.route import RouteSpans
from weft.model.spans import UNTOLD
from weft.view.view import Route

CAME = PEER_HEADER
"""Says that a call came with ``traceparent``."""


def chains_of(mark: str) -> dict[str, FilterChainConfiguration]:
    """What routes name."""
    found = {str(at): one.filter_chain for at, one in enumerate(_actions(_rules(mark, 0)))}
    (untold,) = _actions(rules_of([rule(Text(suffix="-01"), followed(UNTOLD, ()))]))
    return found | {UNTOLD: untold.filter_chain}


def on_route(route: Route) -> dict[str, Any]:
    """What a route says to the filter."""
    return {FILTER: _said(route.spans)} if route.spans else {}


@memo(256)
def _said(spans: RouteSpans) -> Any:
    if spans.disabled:
        matcher = rules_of([rule(Text(suffix=flags), _through(UNTOLD)) for flags in RECORDED])
    else:
        matcher = _rules("", spans.percent)
        for at, one in enumerate(_on_matches(matcher)):
            found = ExecuteFilterAction()
            one.action.typed_config.Unpack(found)
            found.filter_chain_name = str(at)
            found.ClearField("filter_chain")
            one.action.typed_config.CopyFrom(packed(found))
    return packed(CompositePerRoute(matcher=matcher))


def _rules(mark: str, percent: float) -> Matcher:
    """The same steps for every mark and percentage."""
    came = rule(like(".+"), begun(mark, 0), CAME)
    return rules_of([*of_recorded(mark), came], Matcher.OnMatch(matcher=of_fresh(mark, percent)))


def _through(chain: str) -> Matcher.OnMatch:
    made = action(())
    made.action.typed_config.CopyFrom(packed(ExecuteFilterAction(filter_chain_name=chain)))
    return made


def _actions(matcher: Matcher) -> Iterator[ExecuteFilterAction]:
    for one in _on_matches(matcher):
        found = ExecuteFilterAction()
        one.action.typed_config.Unpack(found)
        yield found


def _on_matches(matcher: Matcher) -> Iterator[Matcher.OnMatch]:
    """What is done, in the order in which it is written."""
    steps = [one.on_match for one in matcher.matcher_list.matchers]
    steps += [matcher.on_no_match] if matcher.HasField("on_no_match") else []
    for one in steps:
        if one.HasField("matcher"):
            yield from _on_matches(one.matcher)
        else:
            yield one
