"""A Telemetry in the model's words."""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from weft.dialects.fragment import Fragment
from weft.dialects.istio.checks.traced_routes import is_route
from weft.dialects.istio.types import telemetry as wire
from weft.dialects.istio.types.target_refs import PolicyTargetReference
from weft.dialects.served import Subject
from weft.kit.value import labels_of
from weft.model.attachment import Attachment, Target
from weft.model.document import Key
from weft.model.telemetry import (
    BOTH,
    LoggingRule,
    MetricOverride,
    MetricsRule,
    Side,
    SpanTag,
    TagKind,
    TelemetryPolicy,
    TracingRule,
)

_METRICS = {
    "REQUEST_COUNT": "requests",
    "REQUEST_DURATION": "duration",
    "REQUEST_SIZE": "request_bytes",
    "RESPONSE_SIZE": "response_bytes",
    "TCP_OPENED_CONNECTIONS": "opened",
    "TCP_CLOSED_CONNECTIONS": "closed",
    "TCP_SENT_BYTES": "sent",
    "TCP_RECEIVED_BYTES": "received",
    "GRPC_REQUEST_MESSAGES": "request_messages",
    "GRPC_RESPONSE_MESSAGES": "response_messages",
}
_SIDES = {"CLIENT": (Side.CLIENT,), "SERVER": (Side.SERVER,)}


class Tagged(Protocol):
    """A tag as Telemetry and MeshConfig write it."""

    @property
    def literal(self) -> wire.Literally | None: ...
    @property
    def environment(self) -> wire.Environment | None: ...
    @property
    def header(self) -> wire.RequestHeader | None: ...


def translate(spec: wire.Telemetry, subject: Subject) -> Fragment:
    """What is to be told, and of whose calls."""
    references = spec.target_refs or ((spec.target_ref,) if spec.target_ref else ())
    policy = TelemetryPolicy(
        origin=subject.origin,
        selector=labels_of(spec.selector.match_labels if spec.selector else {}),
        gateways=tuple(one.name for one in references if one.kind == "Gateway") if references else None,
        attachment=_attachment(references, subject),
        metrics=tuple(rule for one in spec.metrics if (rule := _metrics(one)) != MetricsRule()),
        tracing=tuple(_tracing(one) for one in spec.tracing),
        logging=tuple(_logging(one) for one in spec.access_logging),
    )
    return Fragment(key=subject.key, telemetries=(policy,))


def _attachment(references: Sequence[PolicyTargetReference], subject: Subject) -> Attachment | None:
    """The routes that it is for, if it is for routes."""
    if not any(is_route(one) for one in references):
        return None
    keys = (Key(group=one.group or "", kind=one.kind, namespace=subject.namespace, name=one.name) for one in references)
    generation = subject.metadata.generation or 0
    targets = tuple(dict.fromkeys(Target(key=key) for key in keys))
    return Attachment(origin=subject.origin, targets=targets, generation=generation)


def _metrics(spec: wire.Metrics) -> MetricsRule:
    overrides = (_override(one) for one in spec.overrides)
    return MetricsRule(providers=_names(spec.providers), overrides=tuple(one for one in overrides if one.metrics))


def _override(spec: wire.MetricsOverrides) -> MetricOverride:
    metric = spec.match.metric if spec.match else None
    tags = spec.tag_overrides.items()
    custom = spec.match is not None and spec.match.custom_metric is not None
    every = metric in (None, "ALL_METRICS") and not custom
    return MetricOverride(
        metrics=tuple(_METRICS.values()) if every else () if metric is None else (_METRICS[metric],),
        every=every,
        sides=_sides(spec.match.mode if spec.match else None),
        disabled=spec.disabled,
        tags=labels_of({name: tag.value or "" for name, tag in tags if tag.operation != "REMOVE"}),
        removed=tuple(sorted(name for name, tag in tags if tag.operation == "REMOVE")),
    )


def _tracing(spec: wire.Tracing) -> TracingRule:
    propagation = spec.disable_context_propagation
    return TracingRule(
        sides=_sides(spec.match.mode if spec.match else None),
        providers=_names(spec.providers),
        percent=spec.random_sampling_percentage,
        disabled=spec.disable_span_reporting,
        tags=span_tags(spec.custom_tags),
        by_request_id=spec.use_request_id_for_trace_sampling,
        mesh_tags=spec.enable_istio_tags,
        propagated=None if propagation is None else not propagation,
    )


def span_tags(tags: Mapping[str, Tagged]) -> tuple[SpanTag, ...]:
    """Tags of spans, by name."""
    return tuple(_span_tag(name, tag) for name, tag in sorted(tags.items()))


def _span_tag(name: str, tag: Tagged) -> SpanTag:
    formatter: wire.Formatter | None = getattr(tag, "formatter", None)
    if tag.literal is not None:
        return SpanTag(name=name, kind=TagKind.LITERAL, text=tag.literal.value)
    if tag.environment is not None:
        found = tag.environment
        return SpanTag(name=name, kind=TagKind.ENVIRONMENT, text=found.name, default=found.default_value or "")
    if tag.header is not None:
        return SpanTag(
            name=name, kind=TagKind.HEADER, text=tag.header.name.lower(), default=tag.header.default_value or ""
        )
    assert formatter is not None, "the check refuses a tag without a value"
    return SpanTag(name=name, kind=TagKind.FORMATTER, text=formatter.value)


def _logging(spec: wire.AccessLogging) -> LoggingRule:
    return LoggingRule(
        sides=_sides(spec.match.mode if spec.match else None),
        providers=_names(spec.providers),
        disabled=spec.disabled,
        filter=(spec.filter.expression or "") if spec.filter else "",
    )


def _names(references: Sequence[wire.ProviderRef]) -> tuple[str, ...]:
    return tuple(one.name for one in references)


def _sides(mode: Literal["CLIENT_AND_SERVER", "CLIENT", "SERVER"] | None) -> tuple[Side, ...]:
    return _SIDES.get(mode or "", BOTH)
