"""The application protocol of a port, told by its ``appProtocol``, its ``protocol`` or the beginning of its name.

A port that tells none is one of TCP whose callers' proxies look at the first bytes for HTTP, except for well-known
ports of protocols in which the server speaks first (Istio: ``kube.ConvertProtocol``).
"""

from weft.model.service import Protocol

_NAMES = {protocol.value.lower(): protocol for protocol in Protocol} | {
    "http_proxy": Protocol.HTTP,
    "grpc-web": Protocol.GRPC_WEB,
}
_KUBERNETES = {
    "kubernetes.io/h2c": Protocol.HTTP2,
    "kubernetes.io/ws": Protocol.HTTP,
    "kubernetes.io/wss": Protocol.HTTPS,
}
_GRPC_WEB = "grpc-web"
_SERVER_FIRST = frozenset({25, 53, 3306, 27017})
"""SMTP, DNS, MySQL, MongoDB."""


def protocol_of(name: str) -> Protocol | None:
    """A protocol by its name, in any case; ``None`` if there is none (Istio: ``protocol.Parse``)."""
    return _NAMES.get(name.lower())


def service_protocol(name: str, transport: str, app_protocol: str | None) -> Protocol:
    """A Kubernetes port's protocol (Istio: ``ConvertProtocol``): transport UDP, appProtocol, then the name.

    Only the part of the name before ``-`` counts, but ``grpc-web`` may be the whole beginning.
    """
    if transport == "UDP":
        return Protocol.UDP
    return _told(name, app_protocol) or Protocol.TCP


def is_sniffed(number: int, name: str, transport: str, app_protocol: str | None) -> bool:
    """Whether nothing tells a port's protocol, and callers do not wait for a server that speaks first."""
    return transport == "TCP" and number not in _SERVER_FIRST and _told(name, app_protocol) is None


def _told(name: str, app_protocol: str | None) -> Protocol | None:
    if not app_protocol:
        return _by_name(name)
    lowered = app_protocol.lower()
    return _KUBERNETES.get(lowered) or protocol_of(lowered)


def _by_name(name: str) -> Protocol | None:
    lowered = name.lower()
    if lowered == _GRPC_WEB or lowered.startswith(f"{_GRPC_WEB}-"):
        return Protocol.GRPC_WEB
    return protocol_of(lowered.partition("-")[0])
