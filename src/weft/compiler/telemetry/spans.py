"""Spans of a few calls without a tracer: Envoy's makes a span of every call, recorded or not, tags and all.

A call without ``traceparent`` is given one, of the proxy's own mark and the time. Of those, some in a hundred are drawn
and recorded; a call that comes with a decision follows it. What is recorded gets a span's ID before it goes on, so that
who is called knows its parent, and is told to the control plane as an entry of a log (``weft.observe.traces.logged``).
Calls that are not recorded pay for one header and some comparisons: where an application calls by a filter, since
routes are shared by many proxies, and where it is called by its routes.
"""

from weft._pb.envoy.config.accesslog.v3.accesslog_pb2 import AccessLog, AccessLogFilter, HeaderFilter, OrFilter
from weft._pb.envoy.config.common.mutation_rules.v3.mutation_rules_pb2 import HeaderMutation as Mutation
from weft._pb.envoy.config.core.v3.base_pb2 import HeaderValueOption
from weft._pb.envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from weft._pb.envoy.config.route.v3.route_components_pb2 import HeaderMatcher, Route
from weft._pb.envoy.extensions.access_loggers.grpc.v3.als_pb2 import HttpGrpcAccessLogConfig
from weft._pb.envoy.extensions.filters.common.set_filter_state.v3.value_pb2 import FilterStateValue
from weft._pb.envoy.extensions.filters.http.composite.v3.composite_pb2 import Composite
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    HttpFilter,
)
from weft._pb.envoy.extensions.http.early_header_mutation.header_mutation.v3.header_mutation_pb2 import (
    HeaderMutation as EarlyMutation,
)
from weft._pb.envoy.type.matcher.v3.string_pb2 import StringMatcher
from weft._pb.envoy.type.tracing.v3.custom_tag_pb2 import CustomTag
from weft._pb.xds.type.matcher.v3.string_pb2 import StringMatcher as Text
from weft.compiler.telemetry import b3
from weft.compiler.telemetry.route_spans import CAME, chains_of
from weft.compiler.telemetry.span_parts import (
    FILTER,
    HEADER,
    RECORDED,
    SPAN_STATE,
    drawn_id,
    fresh_id,
    has,
    noted,
    option,
    rule,
    rules_of,
    span_id,
    way,
)
from weft.compiler.telemetry.span_rules import VALID, followed_header, of_fresh, of_recorded, of_unrecorded
from weft.compiler.telemetry.streams import streamed
from weft.compiler.telemetry.tags import tag_of
from weft.compiler.wire import packed
from weft.kit.memo import memo
from weft.model.sinks import OtelTracer
from weft.model.spans import B3, CLIENT, CLUSTER, FLAGS, LIMIT, LOG, PARENT, SERVER, SERVICE, SIDE, STATUS, TRACE
from weft.model.telemetry import Tracing

FORCED = f"{FILTER}.now"
"""The filter where it is told to record: routes have no say in it."""
_MOST = 10.0
"""Percent. Who records more of its calls saves nothing: a tracer tells with less effort of the control plane."""
_UUID = "[0-9a-f]{8}-.*"
_REQUEST_ID = "x-request-id"


def is_logged(tracing: Tracing) -> bool:
    """Whether its spans are told of without a tracer: those for the control plane, of few calls."""
    few = tracing.percent <= _MOST or tracing.by_route
    return tracing.tracer == OtelTracer() and tracing.propagated and few and bool(tracing.mark)


def log_spans(manager: HttpConnectionManager, tracing: Tracing, *, client: bool) -> None:
    """Have a listener record some of its calls. Which of those that reach the application, its routes say."""
    if client:
        manager.early_header_mutation_extensions.append(_fresh(tracing.mark, tracing.by_route))
        manager.http_filters.insert(0, _recording(tracing.mark, tracing.percent, by_route=tracing.by_route))
    manager.access_log.append(_log(tracing, client))


def parent_noted() -> FilterStateValue:
    """What a filter of a listener of peers keeps of a call before its routes give it a span's ID."""
    return noted(f"%REQ({HEADER}?{b3.SINGLE})%")


def recorded_routes(route: Route, tracing: Tracing, *, strangers: bool) -> list[Route]:
    """A route to the application as several, by what is decided about a call: cheaper than a filter, where there is but
    one route. The last is for calls that nobody decided about, and that were not drawn. ``strangers`` have no proxy
    that would have read their B3."""
    mark, span, plain = tracing.mark, span_id(tracing.mark), b3.without_b3() if strangers else []
    valid = has(HEADER, VALID)
    told = {flags: followed_header(mark, flags) for flags in RECORDED}
    both = b3.ways_along(route, mark, told["-01"], _ending("-01"), valid)
    follow = [way(route, [one], _ending(flags), valid) for flags, one in told.items()]
    passing = way(route, (), HeaderMatcher(name=HEADER, present_match=True))
    undrawn = [(HEADER, f"00-{fresh_id(mark)}-{span}-00")]
    drawn = [
        way(route, [(HEADER, f"00-{id_}-{span}-01")], *plain, by, percent=tracing.percent)
        for id_, by in (
            (drawn_id(mark, _REQUEST_ID), has(_REQUEST_ID, _UUID)),
            (fresh_id(mark), has(_REQUEST_ID, _UUID, invert=True)),
        )
    ]
    traced = [way(route, undrawn, *plain), *b3.b3_ways(route, mark, tracing.percent)] if strangers else []
    return [*both, *follow, passing, *drawn, *traced, way(route, undrawn)]


def _ending(flags: str) -> HeaderMatcher:
    return HeaderMatcher(name=HEADER, string_match=StringMatcher(suffix=flags))


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
def _fresh(mark: str, by_route: bool) -> TypedExtensionConfig:
    """The header of a call that has none: nothing of it is recorded yet."""
    ids = f"00-{fresh_id(mark)}-{span_id(mark)}-00"
    came = [Mutation(remove=CAME), Mutation(append=option(f"%REQ({HEADER}):2%", header=CAME))] if by_route else []
    mutations = [*came, Mutation(append=option(ids, HeaderValueOption.ADD_IF_ABSENT))]
    return TypedExtensionConfig(
        name="envoy.http.early_header_mutation.header_mutation",
        typed_config=packed(EarlyMutation(mutations=mutations)),
    )


@memo(4096)
def _recording(mark: str, percent: float, *, forced: bool = False, by_route: bool = False) -> HttpFilter:
    """The filter that lets recorded calls through others, by their header; the mark's rule is the last."""
    fresh = rule(Text(prefix=f"00-{mark}"), of_fresh(mark, percent, forced=forced))
    others = [fresh, *of_unrecorded(mark, percent)] if forced else []
    matcher = rules_of([*of_recorded(mark), *others, fresh])
    composite = Composite(matcher=matcher, named_filter_chains=chains_of(mark) if by_route else {})
    return HttpFilter(name=FORCED if forced else FILTER, typed_config=packed(composite))


@memo(4096)
def _log(tracing: Tracing, client: bool) -> AccessLog:
    """The log of recorded calls. What a document adds to spans is beside what weft's own tags say."""
    common = streamed(LOG)
    common.custom_tags.extend(tag_of(one) for one in tracing.tags)
    own = {
        TRACE: f"%REQ({HEADER})%",
        PARENT: f"%FILTER_STATE({SPAN_STATE}:PLAIN)%",
        B3: f"%REQ({b3.SPAN})%/%REQ({b3.PARENT})%",
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
    recorded = [AccessLogFilter(header_filter=HeaderFilter(header=_ending(flags))) for flags in RECORDED]
    return AccessLog(
        name="envoy.access_loggers.http_grpc",
        filter=AccessLogFilter(or_filter=OrFilter(filters=recorded)),
        typed_config=packed(config),
    )
