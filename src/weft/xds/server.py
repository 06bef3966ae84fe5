"""The gRPC server of the discovery services: bytes in, bytes out, TLS with client certificates only.

``GRPC_ENABLE_FORK_SUPPORT=0`` must be in the environment before gRPC is first imported (the composition sets it): a
control plane starts programs with ``exec`` and never forks itself.
"""

from collections.abc import Callable, Sequence
from typing import Any

import grpc

from weft.compiler.resource import CLUSTER, ENDPOINTS, LISTENER, ROUTES, SECRET
from weft.kit.clock import Clock, SystemClock
from weft.kit.value import Value
from weft.xds.admission import Admission
from weft.xds.fleet import Fleet
from weft.xds.session import Variant
from weft.xds.stream import Kind, Limits, Streams, Subscribe, UntilBarred

MAX_MESSAGE = 4 * 1024 * 1024
_STOP_GRACE = 2.0
_SERVICE = "/envoy.service."
_METHODS = {
    "discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources": Kind(variant=Variant.SOTW),
    "discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources": Kind(variant=Variant.DELTA),
    "cluster.v3.ClusterDiscoveryService/StreamClusters": Kind(variant=Variant.SOTW, implied_type=CLUSTER),
    "cluster.v3.ClusterDiscoveryService/DeltaClusters": Kind(variant=Variant.DELTA, implied_type=CLUSTER),
    "endpoint.v3.EndpointDiscoveryService/StreamEndpoints": Kind(variant=Variant.SOTW, implied_type=ENDPOINTS),
    "endpoint.v3.EndpointDiscoveryService/DeltaEndpoints": Kind(variant=Variant.DELTA, implied_type=ENDPOINTS),
    "listener.v3.ListenerDiscoveryService/StreamListeners": Kind(variant=Variant.SOTW, implied_type=LISTENER),
    "listener.v3.ListenerDiscoveryService/DeltaListeners": Kind(variant=Variant.DELTA, implied_type=LISTENER),
    "route.v3.RouteDiscoveryService/StreamRoutes": Kind(variant=Variant.SOTW, implied_type=ROUTES),
    "route.v3.RouteDiscoveryService/DeltaRoutes": Kind(variant=Variant.DELTA, implied_type=ROUTES),
    "secret.v3.SecretDiscoveryService/StreamSecrets": Kind(variant=Variant.SOTW, implied_type=SECRET),
    "secret.v3.SecretDiscoveryService/DeltaSecrets": Kind(variant=Variant.DELTA, implied_type=SECRET),
}


class TlsMaterial(Value):
    """PEMs: the server's key and chain, and the roots that client certificates must descend from."""

    key: bytes
    chain: bytes
    roots: bytes


class XdsConfig(Value):
    """Where to listen and what to allow. Times are seconds; ``connection_age`` gets gRPC's jitter of 10 %."""

    host: str = "127.0.0.1"
    port: int = 0
    connection_age: float = 1800.0
    connection_grace: float = 10.0
    stream_rate: float = 100.0
    stream_burst: int = 200
    limits: Limits = Limits()


class XdsServer:
    """A running server."""

    def __init__(self, server: grpc.aio.Server, streams: Streams, port: int) -> None:
        self._server = server
        self._streams = streams
        self.port = port

    async def stop(self) -> None:
        """End every stream after what is being written, then stop listening."""
        self._streams.stop()
        await self._server.stop(_STOP_GRACE)


async def serve_xds(
    *,
    config: XdsConfig,
    subscribe: Subscribe,
    fleet: Fleet,
    tls: Callable[[], TlsMaterial],
    clock: Clock | None = None,
    others: Sequence[Any] = (),
    until_barred: UntilBarred | None = None,
) -> XdsServer:
    """Start to serve. ``tls`` is asked at every handshake, from a thread of gRPC's: it must be quick and thread-safe.
    ``others`` are handlers of what proxies ask over the same connection. ``until_barred`` ends single streams.

    Raises ``OSError`` when the address is taken.
    """
    clock = clock or SystemClock()
    admission = Admission(clock, rate=config.stream_rate, burst=config.stream_burst)
    streams = Streams(subscribe, fleet, clock, admission, config.limits, until_barred)
    server = grpc.aio.server(options=_options(config))
    server.add_generic_rpc_handlers((_Services(streams), *others))
    try:
        port = server.add_secure_port(f"{config.host}:{config.port}", _credentials(tls))
    except RuntimeError as taken:
        raise OSError(f"cannot listen on {config.host}:{config.port}: {taken}") from taken
    await server.start()
    return XdsServer(server, streams, port)


class _Services(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Finds the handler of a method without generated code, so that messages stay bytes."""

    def __init__(self, streams: Streams) -> None:
        self._handlers = {_SERVICE + name: _handler(streams, kind) for name, kind in _METHODS.items()}

    def service(self, handler_call_details: Any) -> Any:
        """The handler, or ``None`` (``UNIMPLEMENTED``)."""
        return self._handlers.get(handler_call_details.method)


def _handler(streams: Streams, kind: Kind) -> Any:
    async def serve(_: Any, call: Any) -> None:
        await streams.serve(call, kind)

    return grpc.stream_stream_rpc_method_handler(serve)


def _credentials(tls: Callable[[], TlsMaterial]) -> Any:
    """Credentials that follow ``tls``: a renewed certificate or a changed root counts from the next handshake on."""
    used = tls()

    def fetch() -> Any:
        nonlocal used
        current = tls()
        if current == used:
            return None
        used = current
        return _configuration(current)

    return grpc.dynamic_ssl_server_credentials(_configuration(used), fetch, require_client_authentication=True)


def _configuration(material: TlsMaterial) -> Any:
    return grpc.ssl_server_certificate_configuration([(material.key, material.chain)], root_certificates=material.roots)


def _options(config: XdsConfig) -> Sequence[tuple[str, int]]:
    """Limits and keepalive; Envoy's own pings come every 5 s."""
    return (
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", MAX_MESSAGE),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_concurrent_streams", 100),
        ("grpc.server.max_pending_requests", 10_000),
        ("grpc.server.max_pending_requests_hard_limit", 10_000),
        ("grpc.max_connection_age_ms", int(config.connection_age * 1000)),
        ("grpc.max_connection_age_grace_ms", int(config.connection_grace * 1000)),
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
    )
