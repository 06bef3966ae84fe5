"""Services: a host name, its ports, and how its endpoints are found."""

from enum import Enum

from weft.kit.value import Labels, Value, first
from weft.model.document import Origin
from weft.model.health_check import HealthCheck
from weft.model.traffic import ClientTls
from weft.model.workload import Workload


class Protocol(Enum):
    """The application protocol of a port, in Istio's names."""

    HTTP = "HTTP"
    HTTP2 = "HTTP2"
    GRPC = "GRPC"
    GRPC_WEB = "GRPC-Web"
    HTTPS = "HTTPS"
    TLS = "TLS"
    TCP = "TCP"
    UDP = "UDP"
    MONGO = "MONGO"
    MYSQL = "MYSQL"
    REDIS = "REDIS"

    @property
    def is_http(self) -> bool:
        """Whether a proxy reads requests, not bytes."""
        return self in (Protocol.HTTP, Protocol.HTTP2, Protocol.GRPC, Protocol.GRPC_WEB)

    @property
    def is_tls(self) -> bool:
        """Whether connections are TLS that a proxy passes on and does not end."""
        return self in (Protocol.HTTPS, Protocol.TLS)

    @property
    def is_http2(self) -> bool:
        """Whether the application itself speaks HTTP/2."""
        return self in (Protocol.HTTP2, Protocol.GRPC, Protocol.GRPC_WEB)

    @property
    def is_grpc(self) -> bool:
        """Whether requests are gRPC's when they reach the application."""
        return self in (Protocol.GRPC, Protocol.GRPC_WEB)


class Resolution(Enum):
    """How the endpoints of a service are found (Istio ``ServiceEntry.resolution``); services of workloads: STATIC."""

    NONE = "NONE"
    STATIC = "STATIC"
    DNS = "DNS"
    DNS_ROUND_ROBIN = "DNS_ROUND_ROBIN"


class Port(Value):
    """A port of a service. ``target`` is the workload's port by number or name; ``None`` means the same number.

    ``tls`` is what whoever answers there wants to be spoken to, where a caller's own rule says nothing. ``sniffed``:
    nothing tells its protocol, so callers' proxies look at the first bytes for HTTP. ``health_check`` is what callers'
    proxies ask its endpoints.
    """

    number: int
    name: str = ""
    protocol: Protocol = Protocol.TCP
    target: int | str | None = None
    tls: ClientTls | None = None
    sniffed: bool = False
    health_check: HealthCheck | None = None


class Service(Value):
    """A destination: one host name. ``selector`` picks workloads of the same namespace; ``endpoints`` are inline.

    ``client_affinity``: a client's calls go to one endpoint. ``near``: endpoints are preferred with which callers share
    these labels, the first ones most. ``unready_too``: workloads are called that say they are not healthy.
    """

    host: str
    name: str
    namespace: str
    origin: Origin
    ports: tuple[Port, ...] = ()
    addresses: tuple[str, ...] = ()
    selector: Labels | None = None
    endpoints: tuple[Workload, ...] = ()
    resolution: Resolution = Resolution.STATIC
    external: bool = False
    export_to: tuple[str, ...] = ("*",)
    subject_alt_names: tuple[str, ...] = ()
    client_affinity: bool = False
    near: tuple[str, ...] = ()
    unready_too: bool = False

    def port(self, number: int) -> Port | None:
        """The port of a number."""
        return first(port for port in self.ports if port.number == number)


def visible(export_to: tuple[str, ...], owner: str, namespace: str) -> bool:
    """Whether something that ``owner`` exports can be seen from ``namespace`` (Istio ``exportTo``)."""
    return any(to in ("*", namespace) or (to == "." and owner == namespace) for to in export_to)
