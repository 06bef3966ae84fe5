"""Sinks by name: those that are always there, and those that the mesh's settings name."""

from weft.kit.memo import memo
from weft.model.access_log import FileLog
from weft.model.settings import Settings
from weft.model.sinks import (
    EMBEDDED,
    ENVOY,
    PROMETHEUS,
    Counts,
    DatadogTracer,
    Log,
    OtelLog,
    OtelTracer,
    Sink,
    SkyWalkingTracer,
    StreamLog,
    Tracer,
    ZipkinTracer,
)


@memo(16)
def sinks_of(settings: Settings) -> dict[str, Sink]:
    """Every sink; a name that the settings give stands for theirs."""
    usual: dict[str, Sink] = {PROMETHEUS: Counts(), ENVOY: settings.stdout, EMBEDDED: OtelTracer()}
    return usual | {one.name: one.sink for one in settings.sinks}


def counts_in(sink: Sink | None) -> Counts | None:
    """The sink, if metrics can be counted for it."""
    return sink if isinstance(sink, Counts) else None


def tracer_in(sink: Sink | None) -> Tracer | None:
    """The sink, if it takes spans."""
    return sink if isinstance(sink, OtelTracer | ZipkinTracer | DatadogTracer | SkyWalkingTracer) else None


def log_in(sink: Sink | None) -> Log | None:
    """The sink, if it takes entries of access logs."""
    return sink if isinstance(sink, FileLog | StreamLog | OtelLog) else None
