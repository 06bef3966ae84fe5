"""What becomes of a call by its headers, as rules of the filter that records some of them."""

from weft._pb.xds.type.matcher.v3.matcher_pb2 import Matcher
from weft._pb.xds.type.matcher.v3.string_pb2 import StringMatcher as Text
from weft.compiler.telemetry import b3
from weft.compiler.telemetry.span_parts import HEADER, RECORDED, Rule, Told, begun, like, rule, rules_of, span_id

VALID = "00-[0-f]{32}-[0-f]{16}-.."
"""As much as Envoy lets a regex say; who makes spans of it looks closer."""
_UNRECORDED = ("-00", "-02")
_TRACE = 35


def of_recorded(mark: str) -> list[Rule]:
    """Calls of traces that are recorded are followed."""
    return [_by_suffix(mark, flags, flags) for flags in RECORDED]


def of_unrecorded(mark: str, percent: float) -> list[Rule]:
    """So many in a hundred calls of traces that are not recorded are recorded from here on."""
    return [_by_suffix(mark, flags, f"-0{int(flags[-1]) + 1}", percent) for flags in _UNRECORDED]


def of_fresh(mark: str, percent: float, *, forced: bool = False) -> Matcher:
    """Calls without a trace of W3C: those of B3's, and all others, of which so many are drawn."""
    drawn = begun(mark, percent)
    return rules_of(b3.b3_rules(mark, percent, drawn, forced=forced), drawn)


def followed_header(mark: str, flags: str) -> Told:
    """A call of a recorded trace: those who are called are told the span's ID."""
    return HEADER, f"%REQ({HEADER}):{_TRACE}%-{span_id(mark)}{flags}"


def _by_suffix(mark: str, flags: str, told: str, percent: float = 100) -> Rule:
    """The end is looked at first: of most calls that is enough."""
    then = b3.along(mark, f"%REQ({HEADER})%", followed_header(mark, told), percent)
    return rule(Text(suffix=flags), rules_of([rule(like(VALID), then)]))
