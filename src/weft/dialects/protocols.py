"""The application protocol of a port, told by its ``appProtocol``, its ``protocol`` or the beginning of its name.

Istio guesses the protocol of a port that tells none from the first bytes. weft does not: such a port is TCP.
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


def protocol_of(name: str) -> Protocol | None:
    """A protocol by its name, in any case; ``None`` if there is none (Istio: ``protocol.Parse``)."""
    return _NAMES.get(name.lower())


def service_protocol(name: str, transport: str, app_protocol: str | None) -> Protocol:
    """A Kubernetes port's protocol (Istio: ``ConvertProtocol``): transport UDP, appProtocol, then the name.

    Only the part of the name before ``-`` counts, but ``grpc-web`` may be the whole beginning.
    """
    if transport == "UDP":
        return Protocol.UDP
    if app_protocol:
        lowered = app_protocol.lower()
        if lowered in _KUBERNETES:
            return _KUBERNETES[lowered]
        known = protocol_of(app_protocol)
        if known is not None:
            return known
        return Protocol.TCP
    return _by_name(name)


def _by_name(name: str) -> Protocol:
    lowered = name.lower()
    if lowered == _GRPC_WEB or lowered.startswith(f"{_GRPC_WEB}-"):
        return Protocol.GRPC_WEB
    return protocol_of(lowered.partition("-")[0]) or Protocol.TCP
