"""What spans without a tracer are made of: IDs, changes of headers, and rules of the filter that chooses by headers."""

from collections.abc import Iterable

from google.protobuf.message import Message

from weft._pb.envoy.config.common.mutation_rules.v3.mutation_rules_pb2 import HeaderMutation as Mutation
from weft._pb.envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption, RuntimeFractionalPercent
from weft._pb.envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from weft._pb.envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from weft._pb.envoy.config.route.v3.route_components_pb2 import HeaderMatcher, Route
from weft._pb.envoy.extensions.filters.common.set_filter_state.v3.value_pb2 import FilterStateValue
from weft._pb.envoy.extensions.filters.http.composite.v3.composite_pb2 import (
    ExecuteFilterAction,
    FilterChainConfiguration,
)
from weft._pb.envoy.extensions.filters.http.header_mutation.v3.header_mutation_pb2 import HeaderMutation, Mutations
from weft._pb.envoy.extensions.filters.http.set_filter_state.v3.set_filter_state_pb2 import Config as FilterState
from weft._pb.envoy.type.matcher.v3.http_inputs_pb2 import HttpRequestHeaderMatchInput
from weft._pb.envoy.type.matcher.v3.regex_pb2 import RegexMatcher as Regex
from weft._pb.envoy.type.matcher.v3.string_pb2 import StringMatcher
from weft._pb.xds.core.v3.extension_pb2 import TypedExtensionConfig as MatchExtension
from weft._pb.xds.type.matcher.v3.matcher_pb2 import Matcher
from weft._pb.xds.type.matcher.v3.regex_pb2 import RegexMatcher
from weft._pb.xds.type.matcher.v3.string_pb2 import StringMatcher as Text
from weft.compiler.wire import packed, percentage

HEADER = "traceparent"
FILTER = "weft.spans"
RECORDED = ("-01", "-03")
"""What the flags of a recorded trace are: with the second bit, its ID is random throughout."""
SPAN_STATE = "weft.span.parent"
_NAME = "x-weft-trace"
"""Is there while a call that was drawn gets its ID, and goes nowhere."""
Rule = Matcher.MatcherList.FieldMatcher
Told = tuple[str, str]
"""A header, and what it becomes."""


def fresh_id(mark: str) -> str:
    """The ID of a call that nobody decided about: of the proxy's mark and the time."""
    return f"{mark}%START_TIME(%9f%s)%"


def drawn_id(mark: str, header: str = _NAME) -> str:
    """The ID of a trace that is recorded: eight random digits of an UUID in a header, and most of ``fresh_id``: two
    threads of a proxy may begin calls at the same nanosecond."""
    return f"%REQ({header}):8%{mark[:5]}%START_TIME(%9f%s)%"


def span_id(mark: str) -> str:
    """The ID of a proxy's span: a trace has no two that one proxy began at the same nanosecond of a second."""
    return f"{mark[:7]}%START_TIME(%9f)%"


def noted(text: str) -> FilterStateValue:
    """What a filter keeps of the headers of a call as the span's parent."""
    return FilterStateValue(
        object_key=SPAN_STATE,
        factory_key="envoy.string",
        format_string=SubstitutionFormatString(text_format_source={"inline_string": text}),
        skip_if_empty=True,
    )


def option(
    value: str,
    action: HeaderValueOption.HeaderAppendAction = HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    header: str = HEADER,
) -> HeaderValueOption:
    """A change of a header."""
    return HeaderValueOption(header=HeaderValue(key=header, value=value), append_action=action)


def begun(mark: str, percent: float = 100) -> Matcher.OnMatch:
    """So many in a hundred calls begin a trace that is recorded: their header says so from here on."""
    lot = Mutation(append=option("%UNIQUE_ID%", header=_NAME))
    told = Mutation(append=option(f"00-{drawn_id(mark)}-{span_id(mark)}-01"))
    changed = Mutations(request_mutations=[lot, told, Mutation(remove=_NAME)])
    return action((("tell", HeaderMutation(mutations=changed)),), percent)


def followed(parent: str, told: Iterable[Told], percent: float = 100) -> Matcher.OnMatch:
    """A call of a recorded trace: its parent is noted, if headers that stay do not tell it, and those who are called
    are told the span's ID."""
    note: tuple[tuple[str, Message], ...] = ()
    if parent:
        note = (("note", FilterState(on_request_headers=[noted(parent)])),)
    return action((*note, ("tell", overwritten(told))), percent)


def overwritten(told: Iterable[Told]) -> HeaderMutation:
    """Headers get other values, one after another."""
    changed = [Mutation(append=option(value, header=header)) for header, value in told]
    return HeaderMutation(mutations=Mutations(request_mutations=changed))


def action(filters: Iterable[tuple[str, Message]], percent: float = 100) -> Matcher.OnMatch:
    """So many in a hundred calls pass these filters."""
    chain = FilterChainConfiguration(
        typed_config=[TypedExtensionConfig(name=name, typed_config=packed(one)) for name, one in filters]
    )
    found = ExecuteFilterAction(filter_chain=chain)
    if percent < 100:
        found.sample_percent.CopyFrom(RuntimeFractionalPercent(default_value=percentage(percent)))
    return Matcher.OnMatch(action=MatchExtension(name="record", typed_config=packed(found)))


def rules_of(rules: Iterable[Rule], otherwise: Matcher.OnMatch | None = None) -> Matcher:
    """The first rule that is met decides."""
    return Matcher(matcher_list=Matcher.MatcherList(matchers=rules), on_no_match=otherwise)


def rule(text: Text, then: Matcher.OnMatch | Matcher, header: str = HEADER) -> Rule:
    """What happens to calls with such a header."""
    read = MatchExtension(name="header", typed_config=packed(HttpRequestHeaderMatchInput(header_name=header)))
    single = Matcher.MatcherList.Predicate.SinglePredicate(input=read, value_match=text)
    if isinstance(then, Matcher):
        then = Matcher.OnMatch(matcher=then)
    return Rule(predicate=Matcher.MatcherList.Predicate(single_predicate=single), on_match=then)


def like(pattern: str) -> Text:
    """All of a header's value is like this."""
    return Text(safe_regex=RegexMatcher(google_re2=RegexMatcher.GoogleRE2(), regex=pattern))


def has(header: str, pattern: str, *, invert: bool = False) -> HeaderMatcher:
    """The same for a route."""
    match = StringMatcher(safe_regex=Regex(regex=pattern))
    return HeaderMatcher(name=header, string_match=match, invert_match=invert)


def way(route: Route, told: Iterable[Told], *matchers: HeaderMatcher, percent: float = 100) -> Route:
    """A route for some of its calls, that tells them something."""
    made = Route()
    made.CopyFrom(route)
    made.match.headers.extend(matchers)
    made.request_headers_to_add.extend(option(value, header=header) for header, value in told)
    if percent < 100:
        made.match.runtime_fraction.CopyFrom(RuntimeFractionalPercent(default_value=percentage(percent)))
    return made
