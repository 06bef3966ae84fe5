"""Calls that come with B3's headers and without ``traceparent``: their spans are of the trace that these name.

``b3`` is looked at first, then ``x-b3-*``. IDs of 64 bits get zeros before them. What the headers decide holds; where
they leave it open, so many are drawn as of calls without a trace. Those who are called are told the span in the headers
that came, and in ``traceparent``. See https://github.com/openzipkin/b3-propagation.
"""

from collections.abc import Iterator

from weft._pb.envoy.config.route.v3.route_components_pb2 import HeaderMatcher, Route
from weft._pb.xds.type.matcher.v3.matcher_pb2 import Matcher
from weft.compiler.telemetry.span_parts import (
    HEADER,
    Rule,
    Told,
    action,
    begun,
    followed,
    fresh_id,
    has,
    like,
    overwritten,
    rule,
    rules_of,
    span_id,
    way,
)

SINGLE = "b3"
TRACE, SPAN, PARENT, SAMPLED, FLAGS = (
    f"x-b3-{name}" for name in ("traceid", "spanid", "parentspanid", "sampled", "flags")
)
MARKS = (SINGLE, TRACE, SAMPLED)
"""One of them is there where anything of B3 is."""
_YES, _NO, _DEBUG, _ANY = "1|true", "0|false", "1", ".+"
_LENGTHS = (32, 16)


def b3_rules(mark: str, percent: float, otherwise: Matcher.OnMatch, *, forced: bool) -> list[Rule]:
    """What happens to calls with a trace of B3 alone. ``forced``: also those that are not to be recorded are drawn."""
    lot = percent if forced else 0
    singles = [one for length in _LENGTHS for one in _single(mark, length, percent, lot)]
    singles += [rule(like("[1d]"), begun(mark), SINGLE), rule(like("0"), begun(mark, lot), SINGLE)]
    several = [one for length in _LENGTHS for one in _several(mark, length, percent, lot)]
    return [
        rule(like(_ANY), rules_of(singles, otherwise), SINGLE),
        rule(like(_ANY), rules_of(several, otherwise), TRACE),
        rule(like(_YES), begun(mark), SAMPLED),
        rule(like(_NO), begun(mark, lot), SAMPLED),
    ]


def along(mark: str, parent: str, told: Told, percent: float) -> Matcher.OnMatch:
    """A call of a trace of W3C that is recorded: headers of B3 that come along tell its span too."""
    rules = [
        rule(like(_ids(length) + ".*"), followed(parent, (told, _single_told(mark, length)), percent), SINGLE)
        for length in _LENGTHS
    ]
    rules.append(rule(like(_ANY), followed(parent, (told, *_several_told(mark)), percent), TRACE))
    return Matcher.OnMatch(matcher=rules_of(rules, followed(parent, (told,), percent)))


def ways_along(route: Route, mark: str, told: Told, *matchers: HeaderMatcher) -> list[Route]:
    """The same where routes decide; proxies of the mesh have made its IDs long."""
    return [
        way(route, (told, _single_told(mark, 32)), *matchers, has(SINGLE, _ids(32) + ".*")),
        way(route, (told, *_several_told(mark)), *matchers, HeaderMatcher(name=TRACE, present_match=True)),
    ]


def without_b3() -> list[HeaderMatcher]:
    """Whether a call has none of the headers."""
    return [HeaderMatcher(name=name, present_match=True, invert_match=True) for name in MARKS]


def b3_ways(route: Route, mark: str, percent: float) -> list[Route]:
    """Where routes decide: calls that have one of the headers."""
    fresh = f"00-{fresh_id(mark)}-{span_id(mark)}"
    ways = [one for length in _LENGTHS for one in _single_ways(route, mark, length, percent)]
    ways.append(way(route, [(HEADER, f"{fresh}-01")], has(SINGLE, "[1d]")))
    ways += [one for length in _LENGTHS for one in _several_ways(route, mark, length, percent)]
    ways.append(way(route, [(HEADER, f"{fresh}-01")], has(SAMPLED, _YES)))
    return ways


def _single(mark: str, length: int, percent: float, lot: float) -> Iterator[Rule]:
    ids, both = _ids(length), _cut(SINGLE, length, length + 17)
    told = (_w3c(_cut(SINGLE, length), mark), _single_told(mark, length))
    yield rule(like(f"{ids}-[1d].*"), followed(f"00-{both}-01", told), SINGLE)
    yield rule(like(ids), followed(f"00-{both}-01", told, percent), SINGLE)
    kept = _kept(f"00-{both}-00")
    yield rule(like(f"{ids}-0.*"), followed(f"00-{both}-01", told, lot) if lot else kept, SINGLE)


def _several(mark: str, length: int, percent: float, lot: float) -> Iterator[Rule]:
    trace = _cut(TRACE, length)
    told = (_w3c(trace, mark), *_several_told(mark))
    kept = _kept(f"00-{trace}-{span_id(mark)}-00")
    decided = [
        rule(like(_YES), followed("", told), SAMPLED),
        rule(like(_DEBUG), followed("", told), FLAGS),
        rule(like(_ANY), followed("", told, lot) if lot else kept, SAMPLED),
    ]
    yield rule(like(f"[0-f]{{{length}}}"), rules_of(decided, followed("", told, percent)), TRACE)


def _single_ways(route: Route, mark: str, length: int, percent: float) -> Iterator[Route]:
    ids = _ids(length)
    told = (_w3c(_cut(SINGLE, length), mark), _single_told(mark, length))
    yield way(route, told, has(SINGLE, f"{ids}-[1d].*"))
    yield way(route, told, has(SINGLE, ids), percent=percent)
    yield way(route, [(HEADER, f"00-{_cut(SINGLE, length, length + 17)}-00")], has(SINGLE, f"{ids}.*"))


def _several_ways(route: Route, mark: str, length: int, percent: float) -> Iterator[Route]:
    there, trace = has(TRACE, f"[0-f]{{{length}}}"), _cut(TRACE, length)
    told = (_w3c(trace, mark), *_several_told(mark))
    undecided = HeaderMatcher(name=SAMPLED, present_match=True, invert_match=True)
    yield way(route, told, there, has(SAMPLED, _YES))
    yield way(route, told, there, has(FLAGS, _DEBUG))
    yield way(route, told, there, undecided, percent=percent)
    yield way(route, [(HEADER, f"00-{trace}-{span_id(mark)}-00")], there)


def _kept(told: str) -> Matcher.OnMatch:
    """A call that is not to be recorded: those who are called know it, and the trace's ID."""
    return action((("tell", overwritten([(HEADER, told)])),))


def _w3c(trace: str, mark: str) -> Told:
    return HEADER, f"00-{trace}-{span_id(mark)}-01"


def _single_told(mark: str, length: int) -> Told:
    return SINGLE, f"{_cut(SINGLE, length)}-{span_id(mark)}-1"


def _several_told(mark: str) -> tuple[Told, ...]:
    """The caller's span stays beside the new one: so it is known to the log."""
    return (PARENT, f"%REQ({SPAN})%"), (SPAN, span_id(mark)), (SAMPLED, "1")


def _ids(length: int) -> str:
    """As much as Envoy lets a regex say; who makes spans of it looks closer."""
    return f"[0-f]{{{length}}}-[0-f]{{16}}"


def _cut(header: str, length: int, taken: int = 0) -> str:
    """The ID that a header begins with, 128 bits long, or more of the header after it."""
    return "0" * (32 - length) + f"%REQ({header}):{taken or length}%"
