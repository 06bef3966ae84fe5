"""Istio's Gateway."""

from weft.dialects.istio.types.server_tls import ServerTlsSettings
from weft.dialects.wire import Many, Strings, UInt32, Wire, items, mapping, unset


class ServerPort(Wire):
    """The port that a gateway opens."""

    number: UInt32 | None = unset("Number of the port.")
    protocol: str | None = unset("HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP or TLS.", max_length=256)
    name: str | None = unset("Name of the port, unique in the gateway.", max_length=256)
    target_port: UInt32 | None = unset("Has no effect; Istio deprecates it.")


class Server(Wire):
    """One port and what is behind it."""

    port: ServerPort | None = unset("The port that is opened.")
    bind: str | None = unset("Address that is bound; the gateway's own if unset.")
    hosts: Many[str] = items("Hosts, as [namespace/]host; only rules of the namespace may bind to them.")
    tls: ServerTlsSettings | None = unset("TLS between clients and the gateway.")
    default_endpoint: str | None = unset("Address of an application beside the gateway.")
    name: str | None = unset("A name of the server.")


class Gateway(Wire):
    """Ports that proxies at the mesh's edge open."""

    selector: Strings = mapping("Labels of the proxies, all of which a proxy must have; every gateway if unset.")
    servers: Many[Server] = items("The ports.")
