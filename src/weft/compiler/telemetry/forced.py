"""One caller's calls traced for a while, whatever was decided about them before: the sampler of its own listeners.

Only listeners by which the application calls are changed, and nothing but how many traces they record.
"""

from weft._pb.envoy.config.core.v3.base_pb2 import TrafficDirection
from weft._pb.envoy.config.listener.v3.listener_components_pb2 import Filter
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.config.trace.v3.opentelemetry_pb2 import OpenTelemetryConfig
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from weft.compiler.resource import LISTENER, Resource, Resources, resource
from weft.compiler.telemetry import spans
from weft.compiler.telemetry.tracing import by_ratio
from weft.compiler.wire import packed, serialized
from weft.kit.memo import memo


@memo(64)
def forced(made: Resources, percent: float) -> Resources:
    """A proxy's resources with so many of the traces of its calls recorded."""
    changed = tuple(_forced(one, percent) if one.type_url == LISTENER else one for one in made.resources)
    return Resources(resources=changed, findings=made.findings, secrets=made.secrets)


@memo(256)
def _forced(one: Resource, percent: float) -> Resource:
    listener = Listener.FromString(one.body)
    if listener.traffic_direction != TrafficDirection.OUTBOUND:
        return one
    last = [listener.default_filter_chain] if listener.HasField("default_filter_chain") else []
    for chain in (*listener.filter_chains, *last):
        for filter_ in chain.filters:
            _force(filter_, percent)
    return resource(LISTENER, one.name, serialized(listener))


def _force(filter_: Filter, percent: float) -> None:
    manager = HttpConnectionManager()
    if not filter_.typed_config.Unpack(manager):
        return
    logged = [spans.force(one, percent) for one in manager.http_filters]
    if manager.HasField("tracing"):
        _sample(manager.tracing, percent)
    elif not any(logged):
        return
    filter_.typed_config.CopyFrom(packed(manager))


def _sample(tracing: HttpConnectionManager.Tracing, percent: float) -> None:
    otel = OpenTelemetryConfig()
    if tracing.provider.typed_config.Unpack(otel):
        otel.sampler.CopyFrom(by_ratio(percent))
        tracing.provider.typed_config.CopyFrom(packed(otel))
    else:
        tracing.random_sampling.value = percent
