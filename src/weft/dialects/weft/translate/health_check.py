"""A HealthCheck in the model's words, with the defaults where nothing is said."""

from weft.dialects.fragment import Fragment
from weft.dialects.served import Subject
from weft.dialects.syntax import milliseconds
from weft.dialects.weft.checks.statuses import status_range
from weft.dialects.weft.translate.targets import attachment_of
from weft.dialects.weft.types import health_check as wire
from weft.kit.value import labels_of
from weft.model.health_check import GrpcCheck, HealthCheck, HealthPolicy, HttpCheck, TcpCheck

_INTERVAL = 10_000
_TIMEOUT = 1_000
_JITTER = 10


def translate(spec: wire.HealthCheck, subject: Subject) -> Fragment:
    """One check."""
    interval = milliseconds(spec.interval) or _INTERVAL
    check = HealthCheck(
        name=f"{subject.key.namespace}/{subject.key.name}",
        how=_how(spec),
        interval=interval,
        idle_interval=milliseconds(spec.idle_interval) or interval,
        timeout=milliseconds(spec.timeout) or _TIMEOUT,
        unhealthy_threshold=spec.unhealthy_threshold or 3,
        healthy_threshold=spec.healthy_threshold or 2,
        jitter=_JITTER if spec.jitter_percent is None else spec.jitter_percent,
    )
    found = HealthPolicy(attachment=attachment_of(spec, subject), check=check)
    return Fragment(key=subject.key, health_checks=(found,))


def _how(spec: wire.HealthCheck) -> HttpCheck | GrpcCheck | TcpCheck:
    if spec.http is not None:
        return HttpCheck(
            path=spec.http.path,
            host=spec.http.host or "",
            statuses=tuple(status_range(text) for text in spec.http.expected_statuses) or ((200, 299),),
            headers=labels_of(spec.http.headers),
        )
    if spec.grpc is not None:
        return GrpcCheck(service=spec.grpc.service or "", authority=spec.grpc.authority or "")
    tcp = spec.tcp or wire.TcpCheck()
    return TcpCheck(send=tcp.send or "", receive=tuple(tcp.receive))
