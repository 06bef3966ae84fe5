"""What can be wrong with a CircuitBreaker."""

from weft.dialects.findings import Findings, Here
from weft.dialects.grpc_status import GRPC_STATUS
from weft.dialects.metadata import ObjectMeta, check_metadata
from weft.dialects.syntax import is_dns_subdomain, nanoseconds
from weft.dialects.weft.checks.answers import check_answer
from weft.dialects.weft.checks.durations import check_between
from weft.dialects.weft.checks.statuses import check_statuses
from weft.dialects.weft.checks.targets import check_attachment
from weft.dialects.weft.types.circuit_breaker import CircuitBreaker

_KINDS = ("Service", "ServiceEntry", "VirtualService", "HTTPRoute", "GRPCRoute")


def check_circuit_breaker(spec: CircuitBreaker, metadata: ObjectMeta) -> Findings:
    """Everything beyond the shape."""
    here = Here(path=("spec",))
    yield from check_metadata(metadata)
    yield from check_attachment(here, spec, _KINDS)
    yield from _check_times(here, spec)
    yield from _check_statuses(here, spec)
    yield from check_answer(here.at("response"), spec.response, any_status=True)
    yield from _check_fallback(here.at("fallback"), spec, metadata)
    if spec.slow_call_rate is not None and spec.slow_call_duration is None:
        place = here.at("slowCallRate")
        yield place.error("W0105", "no call is slow without slowCallDuration", "say from when on it is", at_key=True)
    if spec.request_volume is not None and spec.failure_rate is None and spec.slow_call_duration is None:
        message = "requestVolume is for rates, and the breaker has none"
        yield here.at("requestVolume").warning("W0128", message, "set failureRate, or remove it", at_key=True)


def _check_fallback(here: Here, spec: CircuitBreaker, metadata: ObjectMeta) -> Findings:
    fallback = spec.fallback
    if fallback is None:
        return
    place = here.at("host")
    if not is_dns_subdomain(fallback.host.lower().removesuffix(".")):
        yield place.error("W0112", f'"{fallback.host[:80]}" is not the name of a host')
    own = {one.name for one in spec.target_refs if one.kind == "Service"}
    host = fallback.host.removesuffix(f".{metadata.namespace}.svc.cluster.local").removesuffix(f".{metadata.namespace}")
    if host in own and not fallback.subset:
        message = f"{host} is what the breaker is for, so it cannot be called instead"
        yield place.error("W0106", message, "name another service, or a subset of it")


def _check_times(here: Here, spec: CircuitBreaker) -> Findings:
    yield from check_between(here.at("window"), spec.window, least=100)
    yield from check_between(here.at("openDuration"), spec.open_duration, least=10)
    yield from check_between(here.at("maxOpenDuration"), spec.max_open_duration, least=10)
    yield from check_between(here.at("trialTimeout"), spec.trial_timeout, least=10)
    yield from check_between(here.at("slowCallDuration"), spec.slow_call_duration)
    opened, longest = spec.open_duration, spec.max_open_duration
    if opened and longest and nanoseconds(longest) < nanoseconds(opened):
        yield here.at("maxOpenDuration").error("W0111", f"{longest} is shorter than openDuration", f"at least {opened}")


def _check_statuses(here: Here, spec: CircuitBreaker) -> Findings:
    yield from check_statuses(here.at("failureStatuses"), spec.failure_statuses)
    for index, name in enumerate(spec.failure_grpc_statuses):
        if name not in GRPC_STATUS:
            known = ", ".join(GRPC_STATUS)
            yield here.at("failureGrpcStatuses", index).error(
                "W0124", f'"{name[:40]}" is no gRPC status', f"use {known}"
            )
