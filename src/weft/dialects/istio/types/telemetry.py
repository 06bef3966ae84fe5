"""Istio's Telemetry."""

from typing import Literal

from weft.dialects.istio.types.matching import PolicyWorkloadSelector
from weft.dialects.istio.types.target_refs import PolicyTargetReference
from weft.dialects.wire import Double, Duration, Many, Wire, items, mapping, needed, unset

Mode = Literal["CLIENT_AND_SERVER", "CLIENT", "SERVER"]


class ProviderRef(Wire):
    """An extension provider of the mesh."""

    name: str = needed("Its name.", min_length=1)


class Selection(Wire):
    """Which calls."""

    mode: Mode | None = unset("Those that workloads make, those that reach them, or both.")


class MetricSelector(Wire):
    """Which metrics."""

    metric: (
        Literal[
            "ALL_METRICS", "REQUEST_COUNT", "REQUEST_DURATION", "REQUEST_SIZE", "RESPONSE_SIZE",
            "TCP_OPENED_CONNECTIONS", "TCP_CLOSED_CONNECTIONS", "TCP_SENT_BYTES", "TCP_RECEIVED_BYTES",
            "GRPC_REQUEST_MESSAGES", "GRPC_RESPONSE_MESSAGES",
        ] | None
    ) = unset("One of Istio's standard metrics, or all.")  # fmt: skip
    custom_metric: str | None = unset("Another metric, by name.", min_length=1)
    mode: Mode | None = unset("Whether callers count it, those that are called, or both.")


class TagOverride(Wire):
    """What becomes of a tag."""

    operation: Literal["UPSERT", "REMOVE"] | None = unset("Added or replaced (UPSERT, if unset), or taken away.")
    value: str | None = unset("The tag's value, an expression in CEL.")


class MetricsOverrides(Wire):
    """What is different about some metrics."""

    match: MetricSelector | None = unset("Which metrics; all if unset.")
    disabled: bool | None = unset("Whether they are not counted.")
    tag_overrides: dict[str, TagOverride] = mapping("Tags, by name.")


class Metrics(Wire):
    """What is counted."""

    providers: Many[ProviderRef] = items("Where it goes; as above if left out.")
    overrides: Many[MetricsOverrides] = items("What is different, later ones over earlier ones.")
    reporting_interval: Duration | None = unset("How often bytes of open connections are counted.")


class Literally(Wire):
    """A fixed text."""

    value: str = needed("The text.", min_length=1)


class Environment(Wire):
    """A variable of the proxy's environment."""

    name: str = needed("Its name.", min_length=1)
    default_value: str | None = unset("The text where it is not set.")


class RequestHeader(Wire):
    """A header of the request."""

    name: str = needed("Its name.", min_length=1)
    default_value: str | None = unset("The text where it is not there.")


class Formatter(Wire):
    """A format of access logs."""

    value: str = needed("The format, such as %REQ(:METHOD)%.", min_length=1)


class CustomTag(Wire):
    """A tag of spans."""

    literal: Literally | None = unset("A fixed text.")
    environment: Environment | None = unset("A variable of the proxy's environment.")
    header: RequestHeader | None = unset("A header of the request.")
    formatter: Formatter | None = unset("A format of access logs.")


class Tracing(Wire):
    """Which calls have spans, and with what."""

    match: Selection | None = unset("Which calls.")
    providers: Many[ProviderRef] = items("Where spans go, one; as above if left out.")
    random_sampling_percentage: Double | None = unset(
        "How many of the calls of which nothing was decided before.", ge=0, le=100
    )
    disable_span_reporting: bool | None = unset("Whether no spans are made.")
    custom_tags: dict[str, CustomTag] = mapping("Tags of spans, by name.")
    use_request_id_for_trace_sampling: bool | None = unset("Whether x-request-id says what was decided, as by default.")
    enable_istio_tags: bool | None = unset("Whether spans have the mesh's own tags, as by default.")
    disable_context_propagation: bool | None = unset("Whether headers of traces are not passed on.")


class LogFilter(Wire):
    """Which calls are logged."""

    expression: str | None = unset("An expression in CEL.")


class AccessLogging(Wire):
    """Which calls are logged, and where."""

    match: Selection | None = unset("Which calls.")
    providers: Many[ProviderRef] = items("Where they are logged; as above if left out.")
    disabled: bool | None = unset("Whether they are not logged there.")
    filter: LogFilter | None = unset("Which of them are logged; all if unset.")


class Telemetry(Wire):
    """What proxies tell of calls."""

    selector: PolicyWorkloadSelector | None = unset("The workloads; without it, all of the namespace or the mesh.")
    target_ref: PolicyTargetReference | None = unset("One target; prefer targetRefs.")
    target_refs: Many[PolicyTargetReference] = items("Gateways, or routes, that it is for, instead.", max_length=16)
    metrics: Many[Metrics] = items("What is counted.")
    tracing: Many[Tracing] = items("Which calls have spans.")
    access_logging: Many[AccessLogging] = items("Which calls are logged.")
