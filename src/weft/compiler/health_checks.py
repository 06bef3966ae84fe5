"""Health checks as Envoy's: from the caller's proxy to each endpoint, in the way in which calls go there."""

from weft._pb.envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from weft._pb.envoy.config.core.v3.health_check_pb2 import HealthCheck as EnvoyCheck
from weft._pb.envoy.type.v3.http_pb2 import HTTP1, HTTP2
from weft._pb.envoy.type.v3.range_pb2 import Int64Range
from weft.compiler.wire import milliseconds, number
from weft.model.health_check import GrpcCheck, HealthCheck, HttpCheck, TcpCheck
from weft.model.service import Resolution
from weft.view.view import Upstream

_ANY_STATUS = Int64Range(start=100, end=600)


def health_check_of(upstream: Upstream) -> EnvoyCheck | None:
    """The check of a cluster; ``None`` also where connections go to addresses that nobody lists."""
    check = upstream.health_check
    if check is None or upstream.direct or upstream.resolution is Resolution.NONE:
        return None
    found = _timed(check)
    match check.how:
        case HttpCheck():
            found.http_health_check.CopyFrom(_http(check.how, upstream))
        case GrpcCheck():
            found.grpc_health_check.service_name = check.how.service
            found.grpc_health_check.authority = check.how.authority or upstream.target.host
        case TcpCheck():
            found.tcp_health_check.CopyFrom(_tcp(check.how))
    return found


def _timed(check: HealthCheck) -> EnvoyCheck:
    """Envoy's own interval of a cluster that was never called is a minute, in which an endpoint that was not yet well
    at its first check would stay unused."""
    return EnvoyCheck(
        interval=milliseconds(check.interval),
        no_traffic_interval=milliseconds(check.interval),
        no_traffic_healthy_interval=milliseconds(check.idle_interval),
        timeout=milliseconds(check.timeout),
        interval_jitter_percent=check.jitter,
        unhealthy_threshold=number(check.unhealthy_threshold),
        healthy_threshold=number(check.healthy_threshold),
    )


def _http(how: HttpCheck, upstream: Upstream) -> EnvoyCheck.HttpHealthCheck:
    """Without statuses that may be tried again, Envoy takes an endpoint out at its first wrong one."""
    return EnvoyCheck.HttpHealthCheck(
        path=how.path,
        host=how.host or upstream.target.host,
        expected_statuses=[Int64Range(start=low, end=high + 1) for low, high in how.statuses],
        retriable_statuses=[_ANY_STATUS],
        codec_client_type=HTTP2 if upstream.http2 else HTTP1,
        request_headers_to_add=[_header(name, value) for name, value in how.headers],
    )


def _header(name: str, value: str) -> HeaderValueOption:
    return HeaderValueOption(
        header=HeaderValue(key=name, value=value.replace("%", "%%")),
        append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    )


def _tcp(how: TcpCheck) -> EnvoyCheck.TcpHealthCheck:
    return EnvoyCheck.TcpHealthCheck(
        send=_text(how.send) if how.send else None, receive=[_text(one) for one in how.receive]
    )


def _text(text: str) -> EnvoyCheck.Payload:
    return EnvoyCheck.Payload(text=text.encode().hex())
