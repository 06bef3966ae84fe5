"""What Istio says of a WorkloadGroup."""

import re

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.checks.common import check_labels, check_port
from weft.dialects.istio.checks.workload_entry import check_rest
from weft.dialects.istio.types import workload_group as wire
from weft.dialects.metadata import ObjectMeta, check_metadata


def check_workload_group(spec: wire.WorkloadGroup, metadata: ObjectMeta) -> Findings:
    """Everything beyond the shape (Istio: ``ValidateWorkloadGroup``)."""
    here = Here(path=("spec",))
    yield from check_metadata(metadata)
    if spec.metadata is not None:
        yield from check_labels(here.at("metadata", "labels"), spec.metadata.labels)
    if spec.template is None:
        yield here.error("W0105", "the template is missing", "set template", at_key=True)
    else:
        yield from check_rest(here.at("template"), spec.template)
        if spec.template.address:
            yield here.at("template", "address").unserved("an address of the group", "each workload tells its own")
    if spec.probe is not None:
        yield from _check_probe(here.at("probe"), spec.probe)


def _check_probe(here: Here, probe: wire.Probe) -> Findings:
    ways = {"httpGet": probe.http_get, "tcpSocket": probe.tcp_socket, "exec": probe.exec, "grpc": probe.grpc}
    given = [name for name, way in ways.items() if way is not None]
    if len(given) != 1:
        yield here.error("W0106", "a probe asks in one way", f"set one of {', '.join(ways)}", at_key=True)
    numbers = {
        "initialDelaySeconds": probe.initial_delay_seconds,
        "timeoutSeconds": probe.timeout_seconds,
        "periodSeconds": probe.period_seconds,
        "successThreshold": probe.success_threshold,
        "failureThreshold": probe.failure_threshold,
    }
    for name, number in numbers.items():
        if number is not None and number < 0:
            yield here.at(name).error("W0111", f"{name} cannot be negative", "use 0, or leave it out, for the default")
    for name in ("httpGet", "tcpSocket", "grpc"):
        way = ways[name]
        if isinstance(way, wire.HttpProbe | wire.TcpProbe | wire.GrpcProbe):
            yield from check_port(here.at(name, "port"), way.port or 0)
    if probe.exec is not None and not probe.exec.command:
        yield here.at("exec").error("W0105", "the command is missing", "set command", at_key=True)
    if probe.http_get is not None:
        yield from _check_http(here.at("httpGet"), probe.http_get)


def _check_http(here: Here, http: wire.HttpProbe) -> Findings:
    if http.scheme not in (None, "", "HTTP", "HTTPS"):
        yield here.at("scheme").error("W0102", f'"{(http.scheme or "")[:80]}" is not a scheme', "use HTTP or HTTPS")
    for index, header in enumerate(http.http_headers):
        if not _HEADER.fullmatch(header.name or ""):
            message = f'"{(header.name or "")[:80]}" is not a name of a header'
            yield here.at("httpHeaders", index, "name").error("W0112", message)
        if any(letter in (header.value or "") for letter in "\r\n\0"):
            place = here.at("httpHeaders", index, "value")
            yield place.error("W0112", "the value of a header has a line break or a zero byte")


_HEADER = re.compile("[-_A-Za-z0-9]+")
