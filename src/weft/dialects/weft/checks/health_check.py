"""What can be wrong with a HealthCheck."""

import re

from weft.dialects.findings import Findings, Here
from weft.dialects.metadata import ObjectMeta, check_metadata
from weft.dialects.syntax import nanoseconds
from weft.dialects.weft.checks.answers import is_header_name, is_header_value
from weft.dialects.weft.checks.statuses import check_statuses
from weft.dialects.weft.checks.targets import check_attachment
from weft.dialects.weft.types.health_check import GrpcCheck, HealthCheck, HttpCheck, TcpCheck

_KINDS = ("Service", "ServiceEntry")
_WAYS = ("http", "grpc", "tcp")
_PATH = re.compile(r"/[\x21-\x7e]{0,2047}")
_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]{1,253}")
_SECOND, _MILLISECOND = 10**9, 10**6
_OWN = ("host", "connection", "content-length", "transfer-encoding", "user-agent", "upgrade", "te")
"""Headers that are the proxy's to write."""


def check_health_check(spec: HealthCheck, metadata: ObjectMeta) -> Findings:
    """Everything beyond the shape."""
    here = Here(path=("spec",))
    yield from check_metadata(metadata)
    yield from check_attachment(here, spec, _KINDS)
    yield from _check_times(here, spec)
    yield from _check_one_way(here, spec)
    yield from _check_http(here.at("http"), spec.http)
    yield from _check_grpc(here.at("grpc"), spec.grpc)
    yield from _check_tcp(here.at("tcp"), spec.tcp)


def _check_times(here: Here, spec: HealthCheck) -> Findings:
    hour, minute = 3600 * _SECOND, 60 * _SECOND
    yield from _between(here.at("interval"), spec.interval, _SECOND, hour, "1s and 1h")
    yield from _between(here.at("idleInterval"), spec.idle_interval, _SECOND, hour, "1s and 1h")
    yield from _between(here.at("timeout"), spec.timeout, 10 * _MILLISECOND, minute, "10ms and 60s")


def _between(here: Here, duration: str | None, least: int, most: int, words: str) -> Findings:
    if duration is not None and not least <= nanoseconds(duration) <= most:
        yield here.error("W0108", f"{duration} is not between {words}", "choose a time between them")


def _check_one_way(here: Here, spec: HealthCheck) -> Findings:
    ways = [name for name in _WAYS if getattr(spec, name) is not None]
    if not ways:
        yield here.error("W0105", "nothing says what is asked", "write http, grpc or tcp", at_key=True)
    for name in ways[1:]:
        message = f"{ways[0]} and {name} exclude each other"
        yield here.at(name).error("W0106", message, "keep one of them", at_key=True)


def _check_http(here: Here, http: HttpCheck | None) -> Findings:
    if http is None:
        return
    if _PATH.fullmatch(http.path) is None:
        message = f'"{http.path[:80]}" is not a path of a request'
        yield here.at("path").error("W0122", message, "begin with a /, and encode what is not ASCII")
    yield from _check_host(here.at("host"), http.host)
    yield from check_statuses(here.at("expectedStatuses"), http.expected_statuses)
    for name, value in http.headers.items():
        place = here.at("headers", name)
        if not is_header_name(name):
            yield place.error("W0112", f'"{name[:80]}" is not a header name', at_key=True)
        elif name.lower() in _OWN or name.lower().startswith("x-envoy-"):
            advice = "write the host under http.host" if name.lower() == "host" else "remove it"
            yield place.error("W0112", f"{name[:80]} is the proxy's own to write", advice, at_key=True)
        if not is_header_value(value):
            yield place.error("W0112", f"the value of {name[:80]} cannot stand in a header")


def _check_grpc(here: Here, grpc: GrpcCheck | None) -> Findings:
    if grpc is not None:
        yield from _check_host(here.at("authority"), grpc.authority)


def _check_host(here: Here, host: str | None) -> Findings:
    if host is not None and _HOST.fullmatch(host) is None:
        yield here.error("W0112", f'"{host[:80]}" is not the name of a host')


def _check_tcp(here: Here, tcp: TcpCheck | None) -> Findings:
    for index, text in enumerate(tcp.receive if tcp else ()):
        if not text or len(text) > 1024:
            yield here.at("receive", index).error("W0111", "a text that is waited for has 1 to 1024 characters")
    if tcp is not None and tcp.send and not tcp.receive:
        message = "what is sent proves nothing, because no answer is waited for"
        yield here.at("send").warning("W0128", message, "write the answer under receive", at_key=True)
