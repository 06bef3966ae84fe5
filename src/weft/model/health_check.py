"""Health checks that callers' proxies make themselves: what is asked, how often, and from when on it is believed."""

from weft.kit.value import Value
from weft.model.attachment import Attachment


class HttpCheck(Value):
    """A GET. Without a ``host`` it is the service's; ``statuses`` are ranges of those that are well."""

    path: str
    host: str = ""
    statuses: tuple[tuple[int, int], ...] = ((200, 299),)
    headers: tuple[tuple[str, str], ...] = ()


class GrpcCheck(Value):
    """A call of ``grpc.health.v1.Health/Check`` about a service, or about the server as a whole."""

    service: str = ""
    authority: str = ""


class TcpCheck(Value):
    """A connection; what is sent then, and what has to come back in this order, if anything."""

    send: str = ""
    receive: tuple[str, ...] = ()


class HealthCheck(Value):
    """How an endpoint is checked. Times are milliseconds; ``jitter`` is how much is added to an interval at most, in
    percent of it. ``idle_interval``: the interval at endpoints that are well, of a proxy that has called none."""

    name: str
    how: HttpCheck | GrpcCheck | TcpCheck
    interval: int = 10_000
    idle_interval: int = 10_000
    timeout: int = 1_000
    unhealthy_threshold: int = 3
    healthy_threshold: int = 2
    jitter: int = 10


class HealthPolicy(Value):
    """A check and the destinations that it is made at."""

    attachment: Attachment
    check: HealthCheck
