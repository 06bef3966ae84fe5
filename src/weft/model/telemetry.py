"""What proxies are to tell of the calls that pass them: the words of Istio's Telemetry, and what they come to."""

from enum import Enum

from weft.kit.value import Labels, Value
from weft.model.attachment import Attachment
from weft.model.document import Origin
from weft.model.sinks import Log, Tracer


class Side(Enum):
    """Whose calls: those that the application makes, or those that reach it."""

    CLIENT = "CLIENT"
    SERVER = "SERVER"


BOTH = (Side.CLIENT, Side.SERVER)


class TagKind(Enum):
    """Where the value of a span's tag comes from."""

    LITERAL = "literal"
    ENVIRONMENT = "environment"
    HEADER = "header"
    FORMATTER = "formatter"


class SpanTag(Value):
    """A tag of every span; ``text`` is the value, the variable, the header or the format."""

    name: str
    kind: TagKind
    text: str
    default: str = ""


class MetricOverride(Value):
    """What is different about some metrics, by weft's names of them (``requests``, ``duration``, ...), all if
    ``every``. ``tags`` are expressions in CEL by tag; those in ``removed`` are not counted by.
    """

    metrics: tuple[str, ...]
    every: bool = False
    sides: tuple[Side, ...] = BOTH
    disabled: bool | None = None
    tags: Labels = ()
    removed: tuple[str, ...] = ()


class MetricsRule(Value):
    """One entry of ``metrics``."""

    providers: tuple[str, ...] = ()
    overrides: tuple[MetricOverride, ...] = ()


class TracingRule(Value):
    """One entry of ``tracing``; what is ``None`` stays as it was. ``percent`` is 0 to 100."""

    sides: tuple[Side, ...] = BOTH
    providers: tuple[str, ...] = ()
    percent: float | None = None
    disabled: bool | None = None
    tags: tuple[SpanTag, ...] = ()
    by_request_id: bool | None = None
    mesh_tags: bool | None = None
    propagated: bool | None = None


class LoggingRule(Value):
    """One entry of ``accessLogging``; ``filter`` is an expression in CEL, "" for all."""

    sides: tuple[Side, ...] = BOTH
    providers: tuple[str, ...] = ()
    disabled: bool | None = None
    filter: str = ""


class TelemetryPolicy(Value):
    """A document: for the workloads that ``selector`` selects, for ``gateways`` by name, or with neither for all of its
    namespace, or of the mesh. One with an ``attachment`` is for the calls that routes send, and for no gateways."""

    origin: Origin
    selector: Labels = ()
    gateways: tuple[str, ...] | None = None
    attachment: Attachment | None = None
    metrics: tuple[MetricsRule, ...] = ()
    tracing: tuple[TracingRule, ...] = ()
    logging: tuple[LoggingRule, ...] = ()

    @property
    def namespace(self) -> str:
        """The document's."""
        return self.origin.key.namespace


class Counting(Value):
    """What a metric is counted by instead of the usual: ``off`` not at all, with ``tags`` more, without ``removed``."""

    metric: str
    off: bool = False
    tags: Labels = ()
    removed: tuple[str, ...] = ()


class FilteredLog(Value):
    """A log, and the expression that an entry must meet."""

    log: Log
    filter: str = ""


class Tracing(Value):
    """Spans: to whom, of how many calls (percent) that come without a decision, and with what.

    ``service`` is what the proxy's spans say they are of, ``attributes`` what else. ``mark`` is 13 hexadecimal digits
    of the IDs that it makes without a tracer. ``by_route``: routes may say how many of theirs.
    """

    tracer: Tracer
    percent: float = 1.0
    tags: tuple[SpanTag, ...] = ()
    by_request_id: bool = True
    propagated: bool = True
    max_path: int = 0
    service: str = ""
    attributes: Labels = ()
    mark: str = ""
    by_route: bool = False


class Told(Value):
    """What is told of one side's calls. Metrics that ``counting`` does not name are counted as usual."""

    logs: tuple[FilteredLog, ...] = ()
    counting: tuple[Counting, ...] = ()
    tracing: Tracing | None = None


class Telemetry(Value):
    """What a proxy tells."""

    client: Told = Told()
    server: Told = Told()
