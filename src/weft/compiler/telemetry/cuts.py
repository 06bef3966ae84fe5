"""The labels that tell a proxy's histograms of times apart (``weft.model.cuts``), made by rules of its logger.

Envoy: ``envoy.extensions.matching.actions.transform_stat.v3.TransformStat``, on the value of a tag.
"""

from weft._pb.envoy.extensions.access_loggers.stats.v3.stats_pb2 import Config
from weft._pb.envoy.extensions.matching.actions.transform_stat.v3.transform_stat_pb2 import TransformStat
from weft._pb.envoy.extensions.matching.common_inputs.stats.v3.stats_pb2 import StatTagValueInput
from weft._pb.xds.core.v3.extension_pb2 import TypedExtensionConfig
from weft._pb.xds.type.matcher.v3.matcher_pb2 import Matcher
from weft._pb.xds.type.matcher.v3.regex_pb2 import RegexMatcher
from weft._pb.xds.type.matcher.v3.string_pb2 import StringMatcher
from weft.compiler.wire import packed
from weft.kit.memo import memo
from weft.model.cuts import COUNTS_OF_DIGITS, DIGITS, OTHER, SLICE, SLICES

_Rule = Matcher.MatcherList.FieldMatcher


@memo(4)
def cuts(took: str) -> tuple[Config.Tag, ...]:
    """The tags of a histogram of times, before all others; ``took`` is the format of the time, in microseconds."""
    digits = [_rule(f"[0-9]{{{count}}}", _value(count)) for count in COUNTS_OF_DIGITS]
    slices = [
        _rule(f"[{one.first // 10}-{one.last // 10 - 1}][0-9]{{2,}}", Matcher.OnMatch(matcher=_sliced(one.digits)))
        for one in SLICES
    ]
    return (
        Config.Tag(name=DIGITS, value_format=took, rules=_first_of(digits, _value(OTHER))),
        Config.Tag(name=SLICE, value_format=took, rules=_first_of(slices, _value(OTHER))),
    )


def _sliced(digits: tuple[str, ...], before: int = 0) -> Matcher:
    """Asks for the third digit, half of what is left at a time."""
    half = len(digits) // 2
    low, high = digits[:half], digits[half:]
    rule = _rule(f"..[{''.join(low)}].*", _answer(low, before))
    return _first_of([rule], _answer(high, before + half))


def _answer(digits: tuple[str, ...], before: int) -> Matcher.OnMatch:
    return _value(str(before)) if len(digits) == 1 else Matcher.OnMatch(matcher=_sliced(digits, before))


def _first_of(rules: list[_Rule], otherwise: Matcher.OnMatch) -> Matcher:
    return Matcher(matcher_list=Matcher.MatcherList(matchers=rules), on_no_match=otherwise)


def _rule(regex: str, then: Matcher.OnMatch) -> _Rule:
    asked = TypedExtensionConfig(name="value", typed_config=packed(StatTagValueInput()))
    matched = StringMatcher(safe_regex=RegexMatcher(google_re2=RegexMatcher.GoogleRE2(), regex=regex))
    single = Matcher.MatcherList.Predicate.SinglePredicate(input=asked, value_match=matched)
    return _Rule(predicate=Matcher.MatcherList.Predicate(single_predicate=single), on_match=then)


def _value(text: str) -> Matcher.OnMatch:
    action = TransformStat(update_tag=TransformStat.UpdateTag(new_tag_value=text))
    return Matcher.OnMatch(action=TypedExtensionConfig(name="value", typed_config=packed(action)))
