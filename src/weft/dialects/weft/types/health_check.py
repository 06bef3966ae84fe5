"""Weft's HealthCheck."""

from typing import Annotated

from pydantic import Field

from weft.dialects.weft.types.targets import Attached
from weft.dialects.wire import Duration, Many, Strings, Wire, items, mapping, needed, unset

Threshold = Annotated[int, Field(ge=1, le=100)]


class HttpCheck(Wire):
    """A GET of a path."""

    path: str = needed('What is asked for, with the query if there is one: "/healthz".')
    host: str | None = unset("The host that is asked for; the service's own.")
    expected_statuses: Many[str] = items(
        'HTTP statuses of an endpoint that is well, "204" or "200-299"; the latter.', max_length=16
    )
    headers: Strings = mapping("Headers that the request has.")


class GrpcCheck(Wire):
    """The gRPC health checking protocol (``grpc.health.v1.Health``)."""

    service: str | None = unset("The service that is asked about; the server as a whole.", max_length=256)
    authority: str | None = unset("The authority that is asked for; the service's own.")


class TcpCheck(Wire):
    """A connection, and what is said on it."""

    send: str | None = unset("Text that is sent; nothing.", max_length=1024)
    receive: Many[str] = items("Texts that have to come back, in this order; none.", max_length=16)


class HealthCheck(Attached):
    """Has the proxies of callers ask a destination's endpoints for their health; those that are ill are not called."""

    interval: Duration | None = unset("The time between two checks of an endpoint, 1s to 1h; 10s.")
    idle_interval: Duration | None = unset(
        "The time between two checks of a healthy endpoint by a proxy that has not called the destination yet."
    )
    timeout: Duration | None = unset("How long an answer may take, 10ms to 60s; 1s.")
    unhealthy_threshold: Threshold | None = unset("Failures in a row after which an endpoint is ill; 3.")
    healthy_threshold: Threshold | None = unset("Successes in a row after which an ill endpoint is well again; 2.")
    jitter_percent: Annotated[int, Field(ge=0, le=100)] | None = unset(
        "By how much an interval is longer at most, so that callers do not check in step; 10."
    )
    http: HttpCheck | None = unset("Ask for a path.")
    grpc: GrpcCheck | None = unset("Ask by gRPC's own protocol; for ports of gRPC or HTTP/2.")
    tcp: TcpCheck | None = unset("Connect.")
