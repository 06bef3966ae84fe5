"""What Istio says of a Telemetry (``ValidateTelemetry``), and what weft's proxies cannot count."""

import re
from collections.abc import Sequence

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.access_log_format import fault_in_format
from weft.dialects.istio.checks.common import check_policy_selector
from weft.dialects.istio.checks.headers import check_header_name
from weft.dialects.istio.checks.target_refs import check_target_refs
from weft.dialects.istio.checks.traced_routes import ROUTES, check_traced_routes, is_route
from weft.dialects.istio.types import telemetry as wire
from weft.dialects.metadata import ObjectMeta, check_metadata
from weft.dialects.regex import check_regex
from weft.kit.cel import fault_in_cel, patterns_in_cel

_TAG = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.-]{0,63}")
_AT_THE_END = "bytes of a connection are counted when it ends"


def check_telemetry(spec: wire.Telemetry, metadata: ObjectMeta) -> Findings:
    """Everything beyond the shape."""
    here = Here(path=("spec",))
    yield from check_metadata(metadata)
    references = spec.target_refs or ((spec.target_ref,) if spec.target_ref else ())
    if spec.target_ref and spec.target_refs:
        yield here.at("targetRef").error("W0106", "only one of targetRef and targetRefs can be set", "remove it")
    if not references:
        yield from check_policy_selector(here.at("selector"), spec.selector)
    place = here.at("targetRefs") if spec.target_refs else here.at("targetRef")
    listed, selected = bool(spec.target_refs), spec.selector is not None
    yield from check_target_refs(place, references, selected=selected, listed=listed, more=ROUTES)
    if any(is_route(one) for one in references):
        yield from check_traced_routes(here, place, spec, references)
    for index, metrics in enumerate(spec.metrics):
        yield from _check_metrics(here.at("metrics", index), metrics)
    for index, tracing in enumerate(spec.tracing):
        yield from _check_tracing(here.at("tracing", index), tracing)
    for index, logging in enumerate(spec.access_logging):
        yield from _check_logging(here.at("accessLogging", index), logging)


def _check_metrics(here: Here, metrics: wire.Metrics) -> Findings:
    if metrics.reporting_interval is not None:
        place = here.at("reportingInterval")
        yield place.note("W0128", f"{_AT_THE_END}, in no interval", "remove it")
    for index, override in enumerate(metrics.overrides):
        place = here.at("overrides", index)
        if override.match is not None and override.match.custom_metric is not None:
            at = place.at("match", "customMetric")
            if override.match.metric is not None:
                yield at.error("W0106", "only one of metric and customMetric can be set", "remove it", at_key=True)
            message = "proxies count Istio's standard metrics and no others, so nothing is changed"
            yield at.note("W0128", message, "name a metric")
        for name, tag in override.tag_overrides.items():
            yield from _check_tag(place.at("tagOverrides", name), name, tag)


def _check_tag(here: Here, name: str, tag: wire.TagOverride) -> Findings:
    if not _TAG.fullmatch(name):
        yield here.error(
            "W0102", f'"{name[:80]}" cannot be the name of a tag', "use letters, digits and _", at_key=True
        )
    if tag.operation == "REMOVE":
        if tag.value is not None:
            message = "value must not be set when operation is REMOVE"
            yield here.at("value").error("W0106", message, "remove it", at_key=True)
    elif not tag.value:
        yield here.error("W0105", "value must be set when operation is UPSERT", "say what the tag is", at_key=True)
    elif ")%" in tag.value or "%" in tag.value:
        yield here.at("value").error("W0175", "a tag's expression may not have a %", "write it without one")
    else:
        yield from _check_expression(here.at("value"), tag.value)


def _check_expression(here: Here, text: str) -> Findings:
    if fault := fault_in_cel(text):
        yield here.error("W0175", f"not an expression that proxies read: {fault}", "see the attributes of Envoy's CEL")
        return
    for pattern in patterns_in_cel(text):
        yield from check_regex(here, pattern)


def _check_tracing(here: Here, tracing: wire.Tracing) -> Findings:
    yield from _check_one(here.at("providers"), tracing.providers)
    for name, tag in tracing.custom_tags.items():
        yield from _check_custom(here.at("customTags", name), name, tag)


def _check_one(here: Here, providers: Sequence[wire.ProviderRef]) -> Findings:
    if len(providers) > 1:
        message = "the spans of a proxy go to one provider; the first one counts"
        yield here.at(1).warning("W0128", message, "have it pass them on")


def _check_custom(here: Here, name: str, tag: wire.CustomTag) -> Findings:
    """Istio: ``validateTracing``."""
    if not name:
        yield here.error("W0105", "the tag has no name", "name it", at_key=True)
    kinds = [field for field in ("literal", "environment", "header", "formatter") if getattr(tag, field) is not None]
    if len(kinds) != 1:
        message = "a tag has one value" if kinds else "the tag has no value"
        yield here.error("W0106" if kinds else "W0105", message, "set literal, environment, header or formatter")
    if tag.header is not None:
        yield from check_header_name(here.at("header", "name"), tag.header.name)
    if tag.formatter is not None and (fault := fault_in_format(tag.formatter.value)):
        yield here.at("formatter", "value").error("W0102", fault, "see Envoy's access log formats")


def _check_logging(here: Here, logging: wire.AccessLogging) -> Findings:
    expression = logging.filter.expression if logging.filter else None
    if expression:
        yield from _check_expression(here.at("filter", "expression"), expression)
