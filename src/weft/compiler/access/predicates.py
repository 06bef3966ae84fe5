"""Conditions as predicates of Envoy's matching API, with what is known beforehand folded in.

``True`` and ``False`` stand for predicates that need no request to decide. Nothing that a user writes becomes part of a
regular expression unescaped.
"""

from collections.abc import Iterable, Sequence

from google.protobuf.message import Message

from weft._pb.xds.core.v3.extension_pb2 import TypedExtensionConfig
from weft._pb.xds.type.matcher.v3.matcher_pb2 import Matcher
from weft._pb.xds.type.matcher.v3.regex_pb2 import RegexMatcher
from weft._pb.xds.type.matcher.v3.string_pb2 import StringMatcher
from weft.compiler.wire import packed

Predicate = Matcher.MatcherList.Predicate
Single = Predicate.SinglePredicate
Truth = Predicate | bool

_SPECIAL = frozenset(r"\.+*?()|[]{}^$")


def quoted(text: str) -> str:
    """A text as an RE2 expression that matches it alone."""
    return "".join(f"\\{letter}" if letter in _SPECIAL else letter for letter in text)


def all_of(parts: Iterable[Truth]) -> Truth:
    """Together; nothing is true."""
    left = []
    for part in parts:
        if part is False:
            return False
        if isinstance(part, Predicate):
            left.append(part)
    if len(left) < 2:
        return left[0] if left else True
    return Predicate(and_matcher=Predicate.PredicateList(predicate=left))


def any_of(parts: Iterable[Truth]) -> Truth:
    """One of them; nothing is false."""
    left = []
    for part in parts:
        if part is True:
            return True
        if isinstance(part, Predicate):
            left.append(part)
    if len(left) < 2:
        return left[0] if left else False
    return Predicate(or_matcher=Predicate.PredicateList(predicate=left))


def none_of(part: Truth) -> Truth:
    """The opposite; of an attribute that is not there, it is true."""
    return Predicate(not_matcher=part) if isinstance(part, Predicate) else not part


def extension(name: str, message: Message) -> TypedExtensionConfig:
    """A typed extension, by a name that Envoy only logs."""
    return TypedExtensionConfig(name=name, typed_config=packed(message))


def text(source: TypedExtensionConfig, value: StringMatcher) -> Predicate:
    """An input that is some text."""
    return Predicate(single_predicate=Single(input=source, value_match=value))


def custom(source: TypedExtensionConfig, matcher: TypedExtensionConfig) -> Predicate:
    """An input that a matcher of its own looks at."""
    return Predicate(single_predicate=Single(input=source, custom_match=matcher))


def expression(regex: str) -> StringMatcher:
    """An RE2 expression for the whole text."""
    return StringMatcher(safe_regex=RegexMatcher(google_re2=RegexMatcher.GoogleRE2(), regex=regex))


def alternatives(expressions: Sequence[str]) -> str:
    """One of some expressions."""
    return expressions[0] if len(expressions) == 1 else "(?:" + "|".join(expressions) + ")"
