"""How proxies reach those that are told of calls: by a cluster that they have, within limits of time."""

from weft._pb.envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from weft._pb.envoy.config.core.v3.grpc_service_pb2 import GrpcService
from weft._pb.envoy.config.core.v3.http_service_pb2 import HttpService
from weft._pb.envoy.config.core.v3.http_uri_pb2 import HttpUri
from weft.compiler.names import cluster_name
from weft.compiler.telemetry.streams import CONTROL_PLANE
from weft.compiler.wire import milliseconds
from weft.kit.value import Labels
from weft.model.sinks import Collector, Export
from weft.view.view import Target

USUAL_TIMEOUT = 5_000
"""Milliseconds after which what was sent counts as lost; without a limit, what waits would grow."""


def cluster_of(collector: Collector) -> str:
    """The cluster of a collector."""
    return cluster_name(Target(host=collector.host, port=collector.port))


def by_grpc(collector: Collector | None, *, timeout: int = 0, headers: Labels = ()) -> GrpcService:
    """Calls of gRPC; those of streams have no ``timeout``. Without a collector, to the control plane."""
    if collector is None:
        target = GrpcService.EnvoyGrpc(cluster_name=CONTROL_PLANE)
    else:
        target = GrpcService.EnvoyGrpc(cluster_name=cluster_of(collector), authority=collector.host)
    return GrpcService(
        envoy_grpc=target,
        timeout=milliseconds(timeout) if timeout else None,
        initial_metadata=[HeaderValue(key=name, value=value) for name, value in headers],
    )


def by_http(collector: Collector, export: Export) -> HttpService:
    """Calls of HTTP."""
    uri = f"http://{collector.host}:{collector.port}{export.path}"
    return HttpService(
        http_uri=HttpUri(uri=uri, cluster=cluster_of(collector), timeout=milliseconds(export.timeout or USUAL_TIMEOUT)),
        request_headers_to_add=[_header(name, value) for name, value in export.headers],
    )


def _header(name: str, value: str) -> HeaderValueOption:
    return HeaderValueOption(
        header=HeaderValue(key=name, value=value), append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
    )
