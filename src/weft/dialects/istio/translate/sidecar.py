"""A Sidecar in the model's words."""

from weft.dialects.fragment import Fragment
from weft.dialects.istio.translate.destination_rule import connection_pool
from weft.dialects.istio.types import sidecar as wire
from weft.dialects.istio.types.matching import Destination as WireDestination
from weft.dialects.protocols import protocol_of
from weft.dialects.served import Subject
from weft.dialects.syntax import qualify
from weft.kit.value import labels_of
from weft.model.route import Destination
from weft.model.service import Port, Protocol
from weft.model.sidecar import Egress, Import, Ingress, Sidecar

_UNIX = "unix://"
_LOCAL = "127.0.0.1"
_THE_WORKLOAD = ("0.0.0.0", "[::]")  # noqa: S104  Istio's word for the workload's own address


def translate(spec: wire.Sidecar, subject: Subject) -> Fragment:
    """One sidecar; ``view`` chooses the one that holds for a proxy."""
    outbound = spec.outbound_traffic_policy
    sidecar = Sidecar(
        origin=subject.origin,
        namespace=subject.namespace,
        selector=labels_of(spec.workload_selector.labels) if spec.workload_selector else None,
        egress=tuple(_egress(listener) for listener in spec.egress) or None,
        ingress=tuple(_ingress(listener) for listener in spec.ingress),
        allow_any=None if outbound is None else outbound.mode == "ALLOW_ANY",
        egress_proxy=_egress_proxy(outbound.egress_proxy, subject) if outbound else None,
        inbound_pool=connection_pool(spec.inbound_connection_pool),
    )
    return Fragment(key=subject.key, sidecars=(sidecar,))


def _egress_proxy(destination: WireDestination | None, subject: Subject) -> Destination | None:
    if destination is None:
        return None
    return Destination(
        host=qualify(destination.host, subject.namespace, subject.settings.domain_suffix),
        subset=destination.subset or "",
        port=destination.port.number if destination.port else None,
    )


def _egress(listener: wire.EgressListener) -> Egress:
    """Without a bind, only ``captureMode: NONE`` asks for a listener: on the loopback address, as in Istio."""
    port = listener.port
    asked = listener.capture_mode == "NONE" and port is not None
    return Egress(
        imports=tuple(_import(host) for host in listener.hosts if "/" in host),
        port=_port(port) if port else None,
        any_port=port is not None and (not port.number or (port.protocol or "").lower() == "http_proxy"),
        bind=(listener.bind or (_LOCAL if asked else "")) if port else "",
        captured=listener.capture_mode == "IPTABLES",
    )


def _import(text: str) -> Import:
    """``~`` alone imports nothing; before a namespace it takes hosts of this namespace out."""
    namespace, _, host = text.partition("/")
    excluded = namespace.startswith("~") and namespace != "~"
    return Import(
        namespace=namespace.removeprefix("~") if excluded else namespace, host=host.lower(), excluded=excluded
    )


def _ingress(listener: wire.IngressListener) -> Ingress:
    endpoint, port = listener.default_endpoint or "", listener.port or wire.SidecarPort()
    host, _, number = ("", "", "") if endpoint.startswith(_UNIX) else endpoint.rpartition(":")
    return Ingress(
        port=_port(port),
        bind=_ingress_bind(listener),
        app=endpoint if endpoint.startswith(_UNIX) else "" if host in _THE_WORKLOAD else host.strip("[]"),
        app_port=int(number or 0),
        connection_pool=connection_pool(listener.connection_pool),
    )


def _ingress_bind(listener: wire.IngressListener) -> str:
    """Where the sidecar listens itself: nowhere if calls are turned to it."""
    match listener.capture_mode:
        case "IPTABLES":
            return ""
        case "NONE":
            return listener.bind or _LOCAL
        case _:
            return listener.bind or ""


def _port(port: wire.SidecarPort) -> Port:
    return Port(
        number=port.number or 0, name=port.name or "", protocol=protocol_of(port.protocol or "") or Protocol.TCP
    )
