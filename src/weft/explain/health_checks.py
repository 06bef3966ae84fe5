"""A health check of a cluster in words."""

from weft._pb.envoy.config.core.v3.health_check_pb2 import HealthCheck


def check_words(check: HealthCheck) -> str:
    """What the proxy asks of each endpoint, how often, and what takes it out."""
    often = f"{check.interval.ToMilliseconds() / 1000:g} s"
    return (
        f"each endpoint is {_asked(check)} every {often}, and left out after {check.unhealthy_threshold.value} failures"
    )


def _asked(check: HealthCheck) -> str:
    if check.HasField("http_health_check"):
        return f"asked for {check.http_health_check.path}"
    if check.HasField("grpc_health_check"):
        about = check.grpc_health_check.service_name
        return f"asked by gRPC for the health of {about}" if about else "asked by gRPC for its health"
    return "connected to"
