"""Istio's standard metrics of what proxies count: the same names, the same labels (Istio: "Istio Standard Metrics").

What Istio calls app and version is here the canonical service and its revision. The policy that secures a connection is
told by the callee's side, as Istio does; a caller's says ``unknown``. ``route`` is weft's own: callers say it of calls
that a rule with a name sent.
"""

from weft.kit.memo import memo
from weft.kit.value import Labels, Value
from weft.model.reporting import SOURCE, UNKNOWN, Peer
from weft.model.series import End, Series


class Standard(Value):
    """A metric; ``distribution``: one with buckets (of milliseconds or bytes), else a counter."""

    name: str
    help: str
    distribution: bool = False


METRICS = {
    "requests": Standard(name="istio_requests_total", help="Calls that proxies handled."),
    "duration": Standard(name="istio_request_duration_milliseconds", help="How long calls took.", distribution=True),
    "request_bytes": Standard(name="istio_request_bytes", help="Sizes of requests' bodies.", distribution=True),
    "response_bytes": Standard(name="istio_response_bytes", help="Sizes of answers' bodies.", distribution=True),
    "request_messages": Standard(name="istio_request_messages_total", help="Messages of gRPC that clients sent."),
    "response_messages": Standard(name="istio_response_messages_total", help="Messages of gRPC that servers sent."),
    "received": Standard(name="istio_tcp_received_bytes_total", help="Bytes from clients over TCP connections."),
    "sent": Standard(name="istio_tcp_sent_bytes_total", help="Bytes to clients over TCP connections."),
    "opened": Standard(name="istio_tcp_connections_opened_total", help="TCP connections that were opened."),
    "closed": Standard(name="istio_tcp_connections_closed_total", help="TCP connections that ended."),
}
"""By what proxies call it."""


@memo(1024)
def standard_labels(series: Series) -> Labels:
    """The labels of a series, sorted."""
    name, namespace = _service(series.service)
    found = {
        "reporter": series.reporter,
        **_side("source", series.source),
        **_side("destination", series.destination),
        "destination_service": series.service,
        "destination_service_name": name,
        "destination_service_namespace": namespace if namespace != UNKNOWN else series.destination.peer.namespace,
        "request_protocol": series.protocol,
        "response_flags": series.flags or "-",
        "connection_security_policy": UNKNOWN if series.reporter == SOURCE else series.security,
    }
    if series.route:
        found["route"] = series.route
    if series.protocol != "tcp":
        found |= {"response_code": series.code, "grpc_response_status": series.grpc}
    if series.added or series.removed:
        found = {name: text for name, text in (found | dict(series.added)).items() if name not in series.removed}
    return tuple(sorted(found.items()))


def series_of_labels(labels: Labels) -> Series:
    """The series that ``standard_labels`` made these labels of; what an operator took away of them is unknown."""
    said = dict(labels)
    protocol = said.get("request_protocol", "http")
    return Series(
        reporter=said.get("reporter", SOURCE),
        source=_end(said, "source"),
        destination=_end(said, "destination"),
        service=said.get("destination_service", UNKNOWN),
        protocol=protocol,
        code=said.get("response_code", ""),
        grpc=said.get("grpc_response_status", ""),
        flags=said.get("response_flags", ""),
        route=said.get("route", ""),
    )


def _end(said: dict[str, str], side: str) -> End:
    principal = said.get(f"{side}_principal", UNKNOWN)
    peer = Peer(
        workload=said.get(f"{side}_workload", UNKNOWN),
        namespace=said.get(f"{side}_workload_namespace", UNKNOWN),
        service=said.get(f"{side}_canonical_service", UNKNOWN),
        revision=said.get(f"{side}_canonical_revision", UNKNOWN),
        cluster=said.get(f"{side}_cluster", UNKNOWN),
    )
    return End(peer=peer, principal="" if principal == UNKNOWN else principal)


def _side(side: str, end: End) -> dict[str, str]:
    peer = end.peer
    return {
        f"{side}_workload": peer.workload,
        f"{side}_workload_namespace": peer.namespace,
        f"{side}_principal": end.principal or UNKNOWN,
        f"{side}_app": peer.service,
        f"{side}_version": peer.revision,
        f"{side}_cluster": peer.cluster,
        f"{side}_canonical_service": peer.service,
        f"{side}_canonical_revision": peer.revision,
    }


def _service(host: str) -> tuple[str, str]:
    """The name and namespace in a service's host; a host of another kind is its name."""
    name, dot, rest = host.partition(".")
    namespace, _, kind = rest.partition(".")
    return (name, namespace) if dot and (kind == "svc" or kind.startswith("svc.")) else (host, UNKNOWN)
