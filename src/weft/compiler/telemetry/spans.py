"""Spans of a few calls without a tracer: Envoy's makes a span of every call, recorded or not, tags and all.

A call without ``traceparent`` is given one, of the proxy's own mark and the time. Of those, some in a hundred are drawn
and recorded; a call that comes with a decision follows it. What is recorded gets a span's ID before it goes on, so that
who is called knows its parent, and is told to the control plane as an entry of a log (``weft.observe.traces.logged``).
Calls that are not recorded pay for one header and some comparisons: where an application calls by a filter, since
routes are shared by many proxies, and where it is called by its routes.
"""

from google.protobuf.message import Message

from weft._pb.envoy.config.accesslog.v3.accesslog_pb2 import AccessLog, AccessLogFilter, HeaderFilter, OrFilter
from weft._pb.envoy.config.common.mutation_rules.v3.mutation_rules_pb2 import HeaderMutation as Mutation
from weft._pb.envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption, RuntimeFractionalPercent
from weft._pb.envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from weft._pb.envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from weft._pb.envoy.config.route.v3.route_components_pb2 import HeaderMatcher, Route
from weft._pb.envoy.extensions.access_loggers.grpc.v3.als_pb2 import HttpGrpcAccessLogConfig
from weft._pb.envoy.extensions.filters.common.set_filter_state.v3.value_pb2 import FilterStateValue
from weft._pb.envoy.extensions.filters.http.composite.v3.composite_pb2 import (
    Composite,
    ExecuteFilterAction,
    FilterChainConfiguration,
)
from weft._pb.envoy.extensions.filters.http.header_mutation.v3.header_mutation_pb2 import HeaderMutation, Mutations
from weft._pb.envoy.extensions.filters.http.set_filter_state.v3.set_filter_state_pb2 import Config as FilterState
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    HttpFilter,
)
from weft._pb.envoy.extensions.http.early_header_mutation.header_mutation.v3.header_mutation_pb2 import (
    HeaderMutation as EarlyMutation,
)
from weft._pb.envoy.type.matcher.v3.http_inputs_pb2 import HttpRequestHeaderMatchInput
from weft._pb.envoy.type.matcher.v3.regex_pb2 import RegexMatcher as Regex
from weft._pb.envoy.type.matcher.v3.string_pb2 import StringMatcher
from weft._pb.envoy.type.tracing.v3.custom_tag_pb2 import CustomTag
from weft._pb.xds.core.v3.extension_pb2 import TypedExtensionConfig as MatchExtension
from weft._pb.xds.type.matcher.v3.matcher_pb2 import Matcher
from weft._pb.xds.type.matcher.v3.regex_pb2 import RegexMatcher
from weft._pb.xds.type.matcher.v3.string_pb2 import StringMatcher as Text
from weft.compiler.telemetry.streams import streamed
from weft.compiler.telemetry.tags import tag_of
from weft.compiler.wire import packed, percentage
from weft.kit.memo import memo
from weft.model.sinks import OtelTracer
from weft.model.spans import CLIENT, CLUSTER, FLAGS, LIMIT, LOG, PARENT, SERVER, SERVICE, SIDE, STATUS, TRACE
from weft.model.telemetry import Tracing

FILTER = "weft.spans"
_HEADER = "traceparent"
_MOST = 10.0
"""Percent. Who records more of its calls saves nothing: a tracer tells with less effort of the control plane."""
_SPAN_STATE = "weft.span.parent"
_VALID = "00-[0-f]{32}-[0-f]{16}-.."
"""As much as Envoy lets a regex say; who makes spans of it looks closer."""
_RECORDED = ("-01", "-03")
"""What the flags of a recorded trace are: with the second bit, its ID is random throughout."""
_UNRECORDED = ("-00", "-02")
_TRACE, _ALL_BUT_FLAGS = 35, 53
_COMPOSITE = "envoy.filters.http.composite"
_Rule = Matcher.MatcherList.FieldMatcher


def is_logged(tracing: Tracing) -> bool:
    """Whether its spans are told of without a tracer: those for the control plane, of few calls."""
    few = tracing.percent <= _MOST
    return tracing.tracer == OtelTracer() and tracing.propagated and few and bool(tracing.mark)


def log_spans(manager: HttpConnectionManager, tracing: Tracing, *, client: bool) -> None:
    """Have a listener record some of its calls. Which of those that reach the application, its routes say."""
    if client:
        manager.early_header_mutation_extensions.append(_fresh(tracing.mark))
        manager.http_filters.insert(0, _recording(tracing.mark, tracing.percent))
    manager.access_log.append(_log(tracing, client))


def parent_noted() -> FilterStateValue:
    """What a filter of a listener of peers keeps of a call before its routes give it a span's ID."""
    return FilterStateValue(
        object_key=_SPAN_STATE,
        factory_key="envoy.string",
        format_string=SubstitutionFormatString(text_format_source={"inline_string": f"%REQ({_HEADER})%"}),
        skip_if_empty=True,
    )


def recorded_routes(route: Route, tracing: Tracing) -> list[Route]:
    """A route to the application as several, by what is decided about a call: cheaper than a filter, where there is but
    one route. The last is for calls that nobody decided about, and that were not drawn."""
    mark, span = tracing.mark, _span(tracing.mark)
    valid = HeaderMatcher(name=_HEADER, string_match=StringMatcher(safe_regex=Regex(regex=_VALID)))
    follow = [_way(route, f"%REQ({_HEADER}):{_TRACE}%-{span}{flags}", _ending(flags), valid) for flags in _RECORDED]
    passing = _way(route, "", HeaderMatcher(name=_HEADER, present_match=True))
    fresh = f"00-{mark}%START_TIME(%9f%s)%-{span}"
    drawn = _way(route, f"{fresh}-01")
    drawn.match.runtime_fraction.CopyFrom(RuntimeFractionalPercent(default_value=percentage(tracing.percent)))
    return [*follow, passing, drawn, _way(route, f"{fresh}-00")]


def _way(route: Route, told: str, *matchers: HeaderMatcher) -> Route:
    made = Route()
    made.CopyFrom(route)
    made.match.headers.extend(matchers)
    if told:
        made.request_headers_to_add.append(_option(told, HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD))
    return made


def _ending(flags: str) -> HeaderMatcher:
    return HeaderMatcher(name=_HEADER, string_match=StringMatcher(suffix=flags))


def force(filter_: HttpFilter, percent: float) -> bool:
    """Have a filter of ``log_spans`` record so many of its calls, also of traces that are not recorded; whether it is
    one."""
    composite = Composite()
    if filter_.name != FILTER or not filter_.typed_config.Unpack(composite):
        return False
    mark = composite.matcher.matcher_list.matchers[-1].predicate.single_predicate.value_match.prefix
    filter_.CopyFrom(_recording(mark.removeprefix("00-"), percent, forced=True))
    return True


@memo(4096)
def _fresh(mark: str) -> TypedExtensionConfig:
    """The header of a call that has none: nothing of it is recorded yet."""
    ids = f"00-{mark}%START_TIME(%9f%s)%-{_span(mark)}-00"
    added = Mutation(append=_option(ids, HeaderValueOption.ADD_IF_ABSENT))
    return TypedExtensionConfig(
        name="envoy.http.early_header_mutation.header_mutation",
        typed_config=packed(EarlyMutation(mutations=[added])),
    )


def _span(mark: str) -> str:
    """The ID of a proxy's span: a trace has no two that one proxy began at the same nanosecond of a second."""
    return f"{mark[:7]}%START_TIME(%9f)%"


@memo(4096)
def _recording(mark: str, percent: float, *, forced: bool = False) -> HttpFilter:
    """The filter that lets recorded calls through others, by their header; the mark's rule is the last."""
    rules = [_by_suffix(flags, _followed(mark, flags)) for flags in _RECORDED]
    drawn = _action(_begun(), percent)
    fresh = _rule(Text(prefix=f"00-{mark}"), drawn)
    if forced:
        drawn_too = [_by_suffix(flags, _followed(mark, f"-0{int(flags[-1]) + 1}", percent)) for flags in _UNRECORDED]
        rules += [_rule(Text(prefix=f"00-{mark}"), drawn), *drawn_too]
    matcher = Matcher(matcher_list=Matcher.MatcherList(matchers=[*rules, fresh]))
    return HttpFilter(name=FILTER, typed_config=packed(Composite(matcher=matcher)))


def _by_suffix(flags: str, then: Matcher.OnMatch) -> _Rule:
    """The end is looked at first: of most calls that is enough."""
    valid = RegexMatcher(google_re2=RegexMatcher.GoogleRE2(), regex=_VALID)
    inner = Matcher(matcher_list=Matcher.MatcherList(matchers=[_rule(Text(safe_regex=valid), then)]))
    return _rule(Text(suffix=flags), Matcher.OnMatch(matcher=inner))


def _rule(text: Text, then: Matcher.OnMatch) -> _Rule:
    header = MatchExtension(name="header", typed_config=packed(HttpRequestHeaderMatchInput(header_name=_HEADER)))
    single = Matcher.MatcherList.Predicate.SinglePredicate(input=header, value_match=text)
    return _Rule(predicate=Matcher.MatcherList.Predicate(single_predicate=single), on_match=then)


def _followed(mark: str, flags: str, percent: float = 100) -> Matcher.OnMatch:
    """A call of a recorded trace: its parent is noted, and those who are called are told the span's ID."""
    told = f"%REQ({_HEADER}):{_TRACE}%-{_span(mark)}{flags}"
    return _action((("note", FilterState(on_request_headers=[parent_noted()])), ("tell", _overwritten(told))), percent)


def _begun() -> tuple[tuple[str, Message], ...]:
    """A call that begins a trace, and was drawn: its header says so from here on."""
    return (("tell", _overwritten(f"%REQ({_HEADER}):{_ALL_BUT_FLAGS}%01")),)


def _overwritten(value: str) -> HeaderMutation:
    changed = Mutation(append=_option(value, HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD))
    return HeaderMutation(mutations=Mutations(request_mutations=[changed]))


def _option(value: str, action: HeaderValueOption.HeaderAppendAction) -> HeaderValueOption:
    return HeaderValueOption(header=HeaderValue(key=_HEADER, value=value), append_action=action)


def _action(filters: tuple[tuple[str, Message], ...], percent: float) -> Matcher.OnMatch:
    chain = FilterChainConfiguration(
        typed_config=[TypedExtensionConfig(name=name, typed_config=packed(one)) for name, one in filters]
    )
    action = ExecuteFilterAction(filter_chain=chain)
    if percent < 100:
        action.sample_percent.CopyFrom(RuntimeFractionalPercent(default_value=percentage(percent)))
    return Matcher.OnMatch(action=MatchExtension(name="record", typed_config=packed(action)))


@memo(4096)
def _log(tracing: Tracing, client: bool) -> AccessLog:
    """The log of recorded calls. What a document adds to spans is beside what weft's own tags say."""
    common = streamed(LOG)
    common.custom_tags.extend(tag_of(one) for one in tracing.tags)
    own = {
        TRACE: f"%REQ({_HEADER})%",
        PARENT: f"%FILTER_STATE({_SPAN_STATE}:PLAIN)%",
        STATUS: "%GRPC_STATUS_NUMBER%",
        FLAGS: "%RESPONSE_FLAGS%",
        CLUSTER: "%UPSTREAM_CLUSTER%",
    }
    said = {SIDE: CLIENT if client else SERVER, SERVICE: tracing.service, LIMIT: str(tracing.max_path or "")}
    common.custom_tags.extend(CustomTag(tag=tag, value=value) for tag, value in own.items())
    common.custom_tags.extend(
        CustomTag(tag=tag, literal=CustomTag.Literal(value=value)) for tag, value in said.items() if value
    )
    config = HttpGrpcAccessLogConfig(common_config=common)
    recorded = [AccessLogFilter(header_filter=HeaderFilter(header=_ending(flags))) for flags in _RECORDED]
    return AccessLog(
        name="envoy.access_loggers.http_grpc",
        filter=AccessLogFilter(or_filter=OrFilter(filters=recorded)),
        typed_config=packed(config),
    )
