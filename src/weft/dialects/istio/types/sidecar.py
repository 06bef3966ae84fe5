"""Istio's Sidecar."""

from typing import Literal

from weft.dialects.istio.types.destination_rule import ConnectionPool
from weft.dialects.istio.types.matching import Destination
from weft.dialects.istio.types.server_tls import ServerTlsSettings
from weft.dialects.istio.types.service_entry import WorkloadSelector
from weft.dialects.wire import Many, UInt32, Wire, items, unset

CaptureMode = Literal["DEFAULT", "IPTABLES", "NONE"]


class SidecarPort(Wire):
    """A port of a listener."""

    number: UInt32 | None = unset("Number of the port.")
    protocol: str | None = unset("HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP or TLS; TCP if unset.")
    name: str | None = unset("Name of the port.")
    target_port: UInt32 | None = unset("Not used.")


class EgressListener(Wire):
    """What the application can call."""

    port: SidecarPort | None = unset("Port that is called; every port that no other listener has if unset.")
    bind: str | None = unset("Address, or unix:// and a path, that the sidecar listens on.")
    capture_mode: CaptureMode | None = unset("How calls reach the listener.")
    hosts: Many[str] = items("Hosts that are imported: namespace/host.")


class IngressListener(Wire):
    """A port that callers reach."""

    port: SidecarPort | None = unset("Port that is called.")
    bind: str | None = unset("Address that the sidecar listens on.")
    capture_mode: CaptureMode | None = unset("How calls reach the listener.")
    default_endpoint: str | None = unset("Where the application listens: 127.0.0.1:port or unix:// and a path.")
    tls: ServerTlsSettings | None = unset("TLS of callers outside the mesh.")
    connection_pool: ConnectionPool | None = unset("Limits of connections and requests to the application.")


class OutboundTrafficPolicy(Wire):
    """What becomes of calls to hosts that are not imported."""

    mode: Literal["REGISTRY_ONLY", "ALLOW_ANY"] | None = unset("Whether they pass, REGISTRY_ONLY if unset.")
    egress_proxy: Destination | None = unset("Destination that they are sent to.")


class Sidecar(Wire):
    """What the proxies of some workloads see and serve."""

    workload_selector: WorkloadSelector | None = unset("Labels of the workloads, all of the namespace if unset.")
    ingress: Many[IngressListener] = items("Ports that callers reach; those of the services if unset.")
    egress: Many[EgressListener] = items("What the application can call; everything if unset.")
    inbound_connection_pool: ConnectionPool | None = unset("Limits of connections and requests to the application.")
    outbound_traffic_policy: OutboundTrafficPolicy | None = unset("What becomes of calls to other hosts.")
